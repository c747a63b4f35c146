"""Data at rest: numbers and contents are encrypted on their way into the database, and opened on their way out.

In reading order::

    seals        values and how they look in the database: AES-SIV where equal must stay equal, AES-GCM elsewhere
    columns      which parameter of a statement goes into which column, and what is kept there
    transaction  a `Tx` that seals what is written and opens what is read
    operator_key what stands in the key file
    terms        what engines, commands and this room tell one another
    opening      what an engine asks of all this: how its transactions are dressed
    keys         the store's own keys, wrapped with the operator's; why opening may be refused
    walk         every row of every table under another key, in pieces

Nothing else of the product knows of it; a store without encryption does not come by here.
"""
