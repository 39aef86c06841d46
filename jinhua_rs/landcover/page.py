"""The card as a page that people read: ``card.md``, Chinese first, English beside it."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from jinhua_rs.landcover.card import (
    CalibrationTest,
    CanopyTest,
    HeldOut,
    LandcoverTest,
    ModelCard,
    ReliabilityBin,
    Screening,
    Trial,
)
from jinhua_rs.schema import LAND_CLASSES

__all__ = ["card_page"]

_RULE = (
    "同等：精度至多低 0.5 个百分点、冠层 RMSE 至多高 0.003；同等者中取经过结点最少者。 Equal: at "
    "most half a point less accurate and 0.003 more canopy RMSE than the best; of equals, the "
    "one that passes the fewest nodes."
)
_NAMES = {info.code: f"{info.name_zh} {info.name}" for info in LAND_CLASSES}


def card_page(card: ModelCard) -> str:
    """
    Write a model card as Markdown.

    Returns
    -------
    str
        Ends with a newline; shares in percent with one decimal, "—" where there is none.
    """
    mark = ["", "> **模拟数据模型 · SIMULATED: never for real imagery**"] if card.simulated else []
    parts = [
        [f"# 模型卡 Model card: {card.name}", *mark],
        ["## 概况 Summary", "", *_summary(card)],
        ["## 样本 Samples", "", *_samples(card)],
        *([_by_unit(card)] if card.by_unit else []),
        *([_screening(card.screening)] if card.screening else []),
        *([_landcover(card.landcover)] if card.landcover else []),
        *([_calibration(card.calibration)] if card.calibration else []),
        *([_canopy(card.canopy)] if card.canopy else []),
        *([_tuning(card.tuning)] if card.tuning else []),
        ["## 局限 Limits", "", *(f"- {limit}" for limit in card.limits)],
        ["## 特征 Features", "", *_features(card)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _summary(card: ModelCard) -> list[str]:
    forest = card.forest
    return _table(
        ("项目 Item", "值 Value"),
        [
            ("种类 Kind", f"random forest, {card.kind}"),
            ("影像时段 Imagery", ", ".join(card.periods) or "—"),
            ("配套季度 Companion quarters", ", ".join(card.companions) or "—"),
            ("像元 Pixel size", f"{card.resolution_m:g} m" if card.resolution_m else "—"),
            ("说明 Note", card.note or "—"),
            (
                "参数 Trees / depth / leaf / features in a split",
                f"{forest.trees} / {forest.depth} / {forest.leaf} / {_share(forest.max_features)}",
            ),
            ("类别权重 Class weights", "逐树均衡 balanced in every tree" if card.classes else "—"),
            ("随机种子 Seed", str(forest.seed)),
            ("版本 Versions", ", ".join(f"{k} {v}" for k, v in card.versions.items())),
            ("SHA-256 (model.skops)", f"`{card.sha256}`"),
        ],
    )


def _samples(card: ModelCard) -> list[str]:
    counts = card.samples
    return _table(
        ("行 Rows", "数量 Count"),
        [
            ("提供 given", str(counts.given)),
            ("缺特征或坐标，弃 incomplete, dropped", str(counts.incomplete)),
            ("无标签，弃 unlabelled, dropped", str(counts.unlabelled)),
            ("重复，弃 duplicates, dropped", str(counts.duplicates)),
            ("同地异标签，留 contradictions, kept", str(counts.contradictions)),
            ("异地同特征（疑为复制），同块留用 alike, kept in one block", str(counts.alike)),
            ("使用 used", str(counts.used)),
        ],
    )


def _screening(screening: Screening) -> list[str]:
    done = "已剔除 left out" if screening.dropped else "仅告知 told only"
    rows = [
        (_NAMES[one.code], str(one.clean), str(one.look), str(one.drop), "✓" if one.judged else "—")
        for one in screening.classes
    ]
    heads = ("类别 Class", "可信 clean", "复核 look again", f"存疑 drop ({done})", "已检 judged")
    return ["## 标签筛查 Screening of labels", "", *_table(heads, rows)]


def _by_unit(card: ModelCard) -> list[str]:
    rows = [
        (unit or "—", *(str(numbers.get(code, 0)) for code in card.classes))
        for unit, numbers in sorted(card.by_unit.items())
    ]
    codes = [str(code) for code in card.classes]
    title = "## 各单元各类样本 Samples by unit and class"
    return [title, "", *_table(("单元 Unit", *codes), rows)]


def _calibration(test: CalibrationTest) -> list[str]:
    curves = zip_longest(test.curve_before, test.curve_after)
    rows = [(*_bin(one), *_bin(two)) for one, two in curves]
    return [
        "## 概率校准 Calibration of the probabilities",
        "",
        "每折用其余各折的校准表评分，各类合并。",
        "Each fold is scored by a table of the others; classes are pooled.",
        "",
        *_table(
            ("指标 Score", "校准前 Before", "校准后 After"),
            [
                ("Brier (0–2)", f"{test.brier_before:.4f}", f"{test.brier_after:.4f}"),
                ("对数损失 Log-loss", f"{test.log_loss_before:.4f}", f"{test.log_loss_after:.4f}"),
            ],
        ),
        "",
        *_table(("校准前给出 said", "实际 found", "数 cases", "校准后给出", "实际", "数"), rows),
    ]


def _tuning(trials: Sequence[Trial]) -> list[str]:
    rows = [
        (
            f"{one.trees} / {one.depth} / {one.leaf} / {_share(one.max_features)}",
            _percent(one.accuracy),
            "—" if one.rmse is None else f"{one.rmse:.4f}",
            f"{one.visits:.0f}",
            "**选用 chosen**" if one.chosen else "同等 equal" if one.equal else "",
        )
        for one in trials
    ]
    return [
        "## 规模选择：空间块留出 Size of the forest, by held-out blocks",
        "",
        _RULE,
        "",
        *_table(
            ("Trees / depth / leaf / features", "精度 Accuracy", "RMSE", "结点 Visits", ""), rows
        ),
    ]


def _bin(one: ReliabilityBin | None) -> tuple[str, ...]:
    return ("—",) * 3 if one is None else (f"{one.said:.2f}", f"{one.found:.2f}", str(one.cases))


def _share(value: float | None) -> str:
    return "√n" if value is None else f"{value:g} n"


def _landcover(test: LandcoverTest) -> list[str]:
    rows = [
        (
            _NAMES[score.code],
            str(score.samples),
            str(score.blocks),
            _percent(score.users_accuracy),
            _percent(score.producers_accuracy),
        )
        for score in test.scores
    ]
    codes = [str(score.code) for score in test.scores]
    confusion = [
        (f"**{code}**", *map(str, row)) for code, row in zip(codes, test.confusion, strict=True)
    ]
    folds = ", ".join(_percent(share) for share in test.fold_accuracy)
    return [
        "## 土地覆盖：空间块留出检验 Land cover, held out in blocks",
        "",
        _how(test.held_out, test.samples),
        "",
        f"总体一致率 Accuracy: **{_percent(test.accuracy)}** (各折 folds: {folds})",
        "",
        *_table(
            ("类别 Class", "样本 Samples", "块 Blocks", "用户精度 User's", "生产者精度 Producer's"),
            rows,
        ),
        "",
        "混淆矩阵：行为预测，列为样本 Confusion: rows predicted, columns samples",
        "",
        *_table(("", *codes), confusion),
    ]


def _canopy(test: CanopyTest) -> list[str]:
    (other, missed), (false, forest) = test.forest_confusion
    return [
        "## 林冠覆盖度：空间块留出检验 Canopy cover, held out in blocks",
        "",
        _how(test.held_out, test.samples),
        "",
        *_table(
            ("指标 Score", "值 Value"),
            [
                ("均方根误差 RMSE", f"{test.rmse:.3f}"),
                ("平均偏差 bias", f"{test.bias:+.3f}"),
                ("决定系数 R²", "—" if test.r2 is None else f"{test.r2:.3f}"),
                ("各折 RMSE of folds", ", ".join(f"{rmse:.3f}" for rmse in test.fold_rmse)),
                ("林/非林一致率 forest agreement (canopy ≥ 0.20)", _percent(test.forest_agreement)),
                ("其中：一致 agreed, forest / other", f"{forest} / {other}"),
                ("误判为林 / 漏判 false forest / missed forest", f"{false} / {missed}"),
            ],
        ),
    ]


def _how(held_out: HeldOut, samples: int) -> str:
    return (
        f"{samples} 个样本，{held_out.blocks} 个边长 {held_out.side_m:g} 米的空间块，"
        f"{held_out.folds} 折；不是地图精度。 "
        f"{samples} samples in {held_out.blocks} blocks of {held_out.side_m:g} m, "
        f"{held_out.folds} folds; not the accuracy of a map."
    )


def _features(card: ModelCard) -> list[str]:
    rows = [
        (str(number), f"`{feature.name}`", feature.units)
        for number, feature in enumerate(card.features, start=1)
    ]
    return _table(("序 Order", "特征 Feature", "单位 Unit"), rows)


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{100 * share:.1f} %"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(_cell(text) for text in line) + " |" for line in lines]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
