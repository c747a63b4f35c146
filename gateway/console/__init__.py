"""The console: pages for people, rendered on the server, under ``/console``.

In reading order: `page` (what a page and a visit are), `server` (who may see which, forms, refusals), `render`
(templates and words in two languages), `forms`, `cells` and `listing` (tables by cursor, as HTML and CSV), `charts`,
`live` (pages that follow what happens), `menu`; then one file for each family of pages in `pages`, and `table`, which
has all of them.
"""
