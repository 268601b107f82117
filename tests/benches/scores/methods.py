"""Ways to turn similarities into scores that one threshold can be put on.

Each takes (pictures x labels, pictures x background prompts) of cosines and the model's logit scale, and returns
pictures x labels of scores. What is called z looks at the library too: at each label's own values over a sample of it.
"""

import numpy as np

SAMPLE = 1000  # pictures that a library's statistics are taken of
NORMAL = 1.4826  # a normal distribution's deviation, in median absolute deviations


def log_odds(labels, background, scale):
    """The logit of today's probability: a label against the background prompts alone."""
    rest = scale * background
    top = rest.max(1, keepdims=True)
    return scale * labels - (top + np.log(np.exp(rest - top).sum(1, keepdims=True)))


def _z(values):
    sample = values[:SAMPLE]
    return (values - sample.mean(0)) / sample.std(0)


def _robust_z(values):
    sample = values[:SAMPLE]
    middle = np.median(sample, 0)
    return (values - middle) / (NORMAL * np.median(abs(sample - middle), 0) + 1e-6)


def _lower_z(values):
    """By the lower half alone: what lacks the label is below its median, unless most pictures have it."""
    sample = values[:SAMPLE]
    middle, low = np.median(sample, 0), np.quantile(sample, 0.16, axis=0)
    return (values - middle) / (middle - low + 1e-6)


def softmax(labels, background, scale):
    """Against all other labels of the set too, as in an exclusive set."""
    logits = scale * np.concatenate([labels, background], 1)
    logits -= logits.max(1, keepdims=True)
    share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    share = share[:, : labels.shape[1]].astype(np.float64).clip(1e-12, 1 - 1e-12)
    return np.log(share / (1 - share))


def similarity(labels, background, scale):
    return labels


def z(labels, background, scale):
    return _z(labels)


def robust_z(labels, background, scale):
    return _robust_z(labels)


def z_over_background(labels, background, scale):
    return _z(log_odds(labels, background, scale))


def robust_z_over_background(labels, background, scale):
    return _robust_z(log_odds(labels, background, scale))


def lower_z_over_background(labels, background, scale):
    return _lower_z(log_odds(labels, background, scale))


def one_spread(labels, background, scale):
    """Log-odds in units of one deviation for the whole set, whatever the label."""
    odds = log_odds(labels, background, scale)
    return odds / odds[:SAMPLE].std()


def pooled_z(values):
    """In the measure of all labels of the set together: a label that most pictures have does not hide itself."""
    sample = values[:SAMPLE]
    middle = np.median(sample)
    return (values - middle) / (NORMAL * np.median(abs(sample - middle)))


def library(labels, background, scale):
    """As pixdex has it: `scoring = "library"`."""
    return 2.0 * (pooled_z(log_odds(labels, background, scale)) - 2.6)


def mixture(weight):
    def mixed(labels, background, scale):
        odds = log_odds(labels, background, scale)
        return (1 - weight) * odds + weight * (_z(odds) - 2)

    return mixed


def stricter(labels, background, scale):
    """Both must say so: the smaller of the log-odds and of the z above 2."""
    odds = log_odds(labels, background, scale)
    return np.minimum(odds, _z(odds) - 2)


METHODS = {
    "probability": log_odds,
    "softmax over the set": softmax,
    "similarity": similarity,
    "z": z,
    "robust z": robust_z,
    "z over background": z_over_background,
    "robust z over background": robust_z_over_background,
    "lower-half z over background": lower_z_over_background,
    "log-odds in one spread": one_spread,
    "library: z of all labels together, over background": library,
    "the same of similarities": lambda labels, background, scale: pooled_z(labels),
    "mixture, 0.25 z": mixture(0.25),
    "mixture, 0.5 z": mixture(0.5),
    "mixture, 0.75 z": mixture(0.75),
    "smaller of both": stricter,
}
