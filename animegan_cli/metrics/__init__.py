"""How good generated images are: features -> statistics -> metric, beside a floor and a ceiling."""

from animegan_cli.metrics.evaluation import FEWEST, Report, Scores, evaluate, shuffled
from animegan_cli.metrics.features import FeatureNetwork, load_feature_network
from animegan_cli.metrics.weights import EvaluationError

__all__ = [
    "FEWEST",
    "EvaluationError",
    "FeatureNetwork",
    "Report",
    "Scores",
    "evaluate",
    "load_feature_network",
    "shuffled",
]
