"""What a message costs with all rules on: CPU of one message in batches of 1,000, at the median, with 10,000 words.

Texts differ, with names filled in, or are the same for all; numbers are new to the gateway. What is measured is what
rules add to accepting: judging the text, looking up what the store knows, judging the person. Garbage is looked for as
seldom as in the daemon.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from gateway.model.message import Category
from gateway.pipeline.intake.judge import Judged, judge_persons, judge_text
from gateway.policy.chain import Chain, Judgement, TextRule
from gateway.policy.decision import Allow
from gateway.policy.subject import Subject
from gateway.runtime.daemon import GARBAGE_AFTER
from gateway.runtime.rules import make_chain
from gateway.settings.config import load_settings
from gateway.store.sqlite.engine import SqliteStore
from tests.bench.figures import Figure
from tests.support.consents import give

BENCH = "policy"
N_WORDS = 10_000
N_MESSAGES = 1_000
N_BATCHES = 15
UNIT = "us/message"
_DICE = random.Random(4711)
_AT = datetime(2026, 12, 1, 4, tzinfo=UTC)
_CONFIG = """
[[words]]
file = "{words}"
[[words]]
file = "cn-absolute-terms"
[punctuation]
action = "warn"
category = []
[class_lock]
action = "review"
[[signatures]]
text = "鸿雁商城"
[[opt_out_lines]]
text = "，回T退订"
[content]
hosts = ["shop.example.cn"]
max_links = 1
max_contacts = 2
expiry_date = true
[[hours]]
windows = ["08:00-21:00"]
holidays = ["cn"]
[[caps]]
category = ["marketing", "transactional"]
limit = ["1/h", "3/7d"]
[[repeats]]
window = "10m"
[[number_limits]]
prefix = "+44"
limit = "100/h"
"""
_NAMES = ("王小明", "李娜", "欧阳修", "司马相如", "张伟", "刘洋", "陈静", "赵磊")
_SERVICE = "{name}您好，您的订单{n}已发货，预计明天送达，请保持电话畅通，如有疑问请致电客服，感谢您对我们的支持与信任。"
_MARKETING = (
    "{name}您好，会员周来了，秋季新品全部到店，详情见shop.example.cn/{n}，活动到12月5日结束，欢迎您到店试穿"
)


def word_list() -> list[str]:
    """Words of two to five common characters, as lists in use have them."""
    common = [chr(code) for code in range(0x4E00, 0x9FA5) if _is_common(chr(code))]
    return ["".join(_DICE.choices(common, k=_DICE.randint(2, 5))) for _ in range(N_WORDS)]


def _is_common(char: str) -> bool:
    """Those of GB 2312, which are the ones that people write with."""
    try:
        return bool(char.encode("gb2312"))
    except UnicodeEncodeError:
        return False


def subjects(batch: int, text: str, category: Category) -> list[Subject]:
    """One batch, to numbers that nobody has seen; a text without places is the same for all."""
    return [
        Subject(
            f"+86138{batch:03}{n:05}",
            category,
            _AT,
            text.format(name=_DICE.choice(_NAMES), n=10_000_000 + batch * N_MESSAGES + n),
            "default",
            ("01k", "shop"),
            None,
            None,
            f"01m{batch:06}{n:06}",
            _AT + timedelta(days=3),
        )
        for n in range(N_MESSAGES)
    ]


async def time_chain(chain: Chain, store: SqliteStore, text: str, category: Category) -> tuple[float, float]:
    """Microseconds of judging texts, and of judging persons, at the median of some batches."""
    texts, persons = [], []
    for batch in range(N_BATCHES):
        asked = subjects(batch, text, category)
        if category is Category.MARKETING:
            await give(store, *(one.recipient for one in asked))
        memo: dict[Subject, Judgement] = {}
        started = time.process_time()
        judged = [judge_text(chain, one, memo) for one in asked]
        texts.append(time.process_time() - started)
        started = time.process_time()
        await store.write(partial(judge_persons, judged=judged, now=_AT))
        persons.append(time.process_time() - started)
        assert all(one.said is None or isinstance(one.said.verdict, Allow) for one in judged), told(judged)
    each = N_MESSAGES / 1e6
    return statistics.median(texts) / each, statistics.median(persons) / each


def told(judged: Sequence[Judged]) -> set[str]:
    """What was said of texts that should have nothing against them."""
    return {found.detail for one in judged if one.said for found in one.said.findings}


def time_rule(rule: TextRule, asked: Sequence[Subject]) -> float:
    """Microseconds of one rule, at the median."""
    taken = []
    for _ in range(N_BATCHES):
        started = time.process_time()
        for one in asked:
            rule.decide(one)
        taken.append(time.process_time() - started)
    return statistics.median(taken) / len(asked) * 1e6


async def policy(folder: Path) -> list[Figure]:
    """All rows."""
    words, config = folder / "words.txt", folder / "policy.toml"
    words.write_text("\n".join(word_list()), encoding="utf-8")
    config.write_text(_CONFIG.format(words=words), encoding="utf-8")
    started = time.process_time()
    settings = load_settings(config)
    chain = make_chain(settings)
    figures = [Figure(BENCH, f"read a config with {N_WORDS} words", time.process_time() - started, "s")]
    store = await SqliteStore.open(folder / "policy.db")
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    for name, text, category in (
        ("transactional, names filled in", _SERVICE, Category.TRANSACTIONAL),
        ("marketing, names filled in", _MARKETING, Category.MARKETING),
        ("marketing, one text", _MARKETING.format(name="您", n=1), Category.MARKETING),
    ):
        in_text, in_person = await time_chain(chain, store, text, category)
        figures += [
            Figure(BENCH, f"{name}: rules of texts", in_text, UNIT),
            Figure(BENCH, f"{name}: rules of persons", in_person, UNIT),
            Figure(BENCH, f"{name}: all", in_text + in_person, UNIT),
        ]
    gc.set_threshold(*usual)
    gc.unfreeze()
    await store.close()
    asked = subjects(0, _SERVICE, Category.TRANSACTIONAL)
    figures += [
        Figure(BENCH, f"alone: {rule.name}", time_rule(rule, asked), UNIT)
        for rule in chain.texts
        if rule.concerns(Category.TRANSACTIONAL)
    ]
    return figures
