"""One attribute's linear probe: multinomial logistic regression on frozen features.

Probes are fitted by L-BFGS on the cross-entropy with an L2 penalty, as in Chen et al. 2020 (SimCLR,
appendix B.8) and Radford et al. 2021 (CLIP, appendix A.3). Confidences are calibrated by a
temperature (Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from coordi.words import by_id

READS = ("vector", "color", "both")
"""What a probe looks at: the encoder's vector, the colours of the pixels, or both side by side."""

PRECISION = 0.9
"""Share of the tags written that shall be right, on labels that the probe was not fitted to."""

FEWEST_WRITTEN = 20
"""Tags that must have been written on held-out labels before their precision is believed."""

_CONFIDENCES = np.round(np.arange(0.3, 0.995, 0.01), 2)
_TEMPERATURES = np.geomspace(0.05, 20, 121)
_ITERATIONS = 60

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


class Tag(NamedTuple):
    """What one attribute of a garment is."""

    value: str
    confidence: float
    """Calibrated probability that it is true, in [0, 1]."""


class Quality(NamedTuple):
    """How good a probe is on labels that it was not fitted to."""

    labels: int
    written: int
    right: int

    @property
    def precision(self) -> float:
        """Share of what was written that is right; 1 of nothing."""
        return self.right / self.written if self.written else 1.0

    @property
    def error(self) -> float:
        """Standard error of `precision`."""
        share = self.precision
        return float(np.sqrt(share * (1 - share) / self.written)) if self.written else 0.0

    @property
    def coverage(self) -> float:
        """Share of the labels that something was written for."""
        return self.written / self.labels if self.labels else 0.0


@dataclass(frozen=True, slots=True)
class Probe:
    """One attribute: features → probabilities of its classes → a tag, or none."""

    attribute: str
    classes: tuple[str, ...]
    weights: Floats  # (features, classes)
    bias: Floats  # (classes,)
    reads: str = "vector"
    """One of `READS`."""
    temperature: float = 1.0
    confidence: float | None = None
    """Confidence from which a tag is written; None: none ever is, because no confidence was found
    from which on enough of them are right."""
    kinds: tuple[str, ...] = ()
    """Categories of garments that have such an attribute at all; () for any."""
    flat: bool = False
    """Whether tags are classes alone, never what those are kinds of: a shop's own words have no
    hierarchy, and that a pattern is a print says little."""
    held_out: Quality = field(default=Quality(0, 0, 0))
    """On the labels that temperature and confidence were chosen on."""

    def probabilities(self, features: Floats) -> Floats:
        """Features (n, d) → (n, classes), rows that add up to one."""
        return softmax((features @ self.weights + self.bias) / self.temperature)

    def tags(self, features: Floats) -> list[Tag | None]:
        """The tag of each row of features (n, d), None where nothing is sure enough."""
        if self.confidence is None:
            return [None] * len(features)
        places, confidences = self._answers(self.probabilities(features), self.confidence)
        return [
            None if place < 0 else Tag(self.names[place], float(sure))
            for place, sure in zip(places, confidences, strict=True)
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """What a tag can say: the classes, then what they are kinds of."""
        return (*self.classes, *_wider(self.attribute, self.classes, self.flat))

    def _answers(self, shares: Floats, confidence: float) -> tuple[Numbers, Floats]:
        """The likeliest class of each row, or where that is not sure enough the nearest thing that
        it is a kind of which is: places in `names`, -1 for none; and their probabilities.
        """
        names, paths = self.names, lineages(self.attribute, self.classes, self.flat)
        place = {name: at for at, name in enumerate(names)}
        likely = shares.argmax(1)
        total = shares @ membership(self.attribute, self.classes, names, self.flat)
        out = np.full(len(shares), -1, np.int64)
        sure = np.zeros(len(shares), np.float32)
        for depth in range(max(map(len, paths), default=0)):
            at = np.array([place[p[depth]] if depth < len(p) else -1 for p in paths], np.int64)
            mine = at[likely]
            value = np.where(mine >= 0, total[np.arange(len(total)), np.maximum(mine, 0)], 0)
            new = (out < 0) & (mine >= 0) & (value >= confidence)
            out[new], sure[new] = mine[new], value[new]
        return out, sure

    def calibrated(self, features: Floats, labels: Numbers) -> Self:
        """The probe with temperature and confidence chosen on held-out features (n, d) and labels
        (n,), numbers of classes; -1 is a class that the probe does not have, and never right.
        """
        known = labels >= 0
        warm = replace(self, temperature=1.0)
        if known.any():
            logits = (features[known] @ self.weights + self.bias).astype(np.float32)
            warm = replace(self, temperature=_temperature(logits, labels[known]))
        chosen = warm._confidence(warm.probabilities(features), labels)
        sure = replace(warm, confidence=chosen)
        return replace(sure, held_out=sure.quality(features, labels))

    def _confidence(self, shares: Floats, labels: Numbers) -> float | None:
        """The least confidence from which on, whatever more is asked, enough tags are right.

        One standard error is taken off, since the best of many confidences is partly luck.
        """
        chosen: float | None = None
        for confidence in _CONFIDENCES[::-1]:
            found = self._quality(shares, labels, float(confidence))
            if found.written < min(FEWEST_WRITTEN, len(labels)):
                continue  # a few tags tell nothing, neither way
            if found.precision - found.error < PRECISION:
                break
            chosen = float(confidence)
        return chosen

    def quality(self, features: Floats, labels: Numbers) -> Quality:
        """How the probe does on features (n, d) whose labels (n,) are known."""
        if self.confidence is None:
            return Quality(len(labels), 0, 0)
        return self._quality(self.probabilities(features), labels, self.confidence)

    def _quality(self, shares: Floats, labels: Numbers, confidence: float) -> Quality:
        places, _ = self._answers(shares, confidence)
        written = places >= 0
        true = membership(self.attribute, self.classes, self.names, self.flat) > 0
        right = written & (labels >= 0)
        right[right] = true[labels[right], places[right]]
        return Quality(len(labels), int(written.sum()), int(right.sum()))


def fit(
    attribute: str,
    features: Floats,
    labels: Sequence[str],
    *,
    reads: str = "vector",
    penalty: float = 1e-4,
    balance: float = 0.5,
    kinds: Sequence[str] = (),
    flat: bool = False,
) -> Probe:
    """Fit a probe to features (n, d) and their labels.

    `penalty` is the L2 penalty on the weights, beside the mean cross-entropy; an example weighs
    its class's frequency to the power -`balance` (0: all alike, 1: all classes alike).
    """
    classes = tuple(sorted(set(labels)))
    numbers = np.array([classes.index(label) for label in labels], np.int64)
    counts = np.bincount(numbers, minlength=len(classes))
    weigh = counts[numbers].astype(np.float32) ** -balance
    weights, bias = _minimised(features, numbers, weigh / weigh.sum(), len(classes), penalty)
    return Probe(attribute, classes, weights, bias, reads, kinds=tuple(kinds), flat=flat)


def class_means(attribute: str, features: Floats, labels: Sequence[str], **more: object) -> Probe:
    """The control of `fit`: each class is the mean of its features (n, d), by cosine."""
    classes = tuple(sorted(set(labels)))
    numbers = np.array([classes.index(label) for label in labels], np.int64)
    sums = np.zeros((len(classes), features.shape[1]), np.float32)
    np.add.at(sums, numbers, features)
    means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return Probe(attribute, classes, means.T, np.zeros(len(classes), np.float32), **more)  # type: ignore[arg-type]


def _minimised(
    features: Floats, numbers: Numbers, weigh: Floats, classes: int, penalty: float
) -> tuple[Floats, Floats]:
    """Weights (d, classes) and bias (classes,) of least weighted cross-entropy and penalty."""
    from scipy.optimize import minimize  # slow to load

    dim = features.shape[1]
    rows = np.arange(len(numbers))

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        both = flat.astype(np.float32).reshape(dim + 1, classes)
        shares = softmax(features @ both[:dim] + both[dim])  # (n, classes)
        value = -float(weigh @ np.log(shares[rows, numbers] + 1e-12))
        shares[rows, numbers] -= 1
        shares *= weigh[:, None]
        slope = np.vstack([features.T @ shares + penalty * both[:dim], shares.sum(0)])
        value += 0.5 * penalty * float((both[:dim] ** 2).sum())
        return value, slope.ravel().astype(np.float64)

    start = np.zeros((dim + 1) * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
    both = found.x.astype(np.float32).reshape(dim + 1, classes)
    return both[:dim], both[dim]


def _temperature(logits: Floats, labels: Numbers) -> float:
    """The temperature of least cross-entropy."""
    rows = np.arange(len(labels))

    def entropy(temperature: float) -> float:
        return -float(np.log(softmax(logits / temperature)[rows, labels] + 1e-12).mean())

    return float(min(_TEMPERATURES, key=entropy))


def softmax(logits: Floats) -> Floats:
    """(n, classes) → rows that are positive and add up to one."""
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return np.asarray(shares, np.float32)


def lineages(attribute: str, classes: Sequence[str], flat: bool = False) -> list[tuple[str, ...]]:
    """Each class and what it is a kind of, nearest first, by the vocabulary."""
    return [(name,) if flat else lineage(attribute, name) for name in classes]


def lineage(attribute: str, name: str) -> tuple[str, ...]:
    """A name and what it is a kind of, nearest first; itself alone where no table has it."""
    known = by_id()
    out = [name]
    concept = known.get(f"{attribute}:{name}")
    while concept is not None and concept.parent is not None:
        out.append(concept.parent)
        concept = known.get(f"{attribute}:{concept.parent}")
    return tuple(out)


def _wider(attribute: str, classes: Sequence[str], flat: bool) -> list[str]:
    every = (name for path in lineages(attribute, classes, flat) for name in path)
    return [name for name in dict.fromkeys(every) if name not in classes]


def membership(
    attribute: str, classes: Sequence[str], names: Sequence[str], flat: bool = False
) -> Floats:
    """(classes, names): 1 where the name is true of a garment of that class."""
    out = np.zeros((len(classes), len(names)), np.float32)
    place = {name: at for at, name in enumerate(names)}
    for row, path in enumerate(lineages(attribute, classes, flat)):
        out[row, [place[name] for name in path]] = 1
    return out
