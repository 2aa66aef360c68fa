"""Scoring G while it trains, and keeping the best one."""

import torch

from animegan_cli import checkpoints
from animegan_cli.data import ImageSet
from animegan_cli.errors import SettingsError
from animegan_cli.metrics import FEWEST, Report, load_feature_network
from animegan_cli.reporting import NullReporter, Reporter
from animegan_cli.run_dir import RunDir
from animegan_cli.scoring import open_folder, score_generator
from animegan_cli.settings import Settings
from animegan_cli.training_state import Best, TrainingState, as_last_seen


class Judge:
    """Scores G against images that it does not learn from."""

    def __init__(
        self,
        held: ImageSet,
        run: RunDir,
        settings: Settings,
        device: torch.device,
        reporter: Reporter,
    ) -> None:
        if len(held) < 2 * FEWEST:
            raise SettingsError(
                f"--evaluate-every: {len(held):,} images are held out, and {2 * FEWEST} are the "
                "fewest to score against; use a larger --holdout, or --holdout-data DIR"
            )
        self.held, self.run, self.settings = held, run, settings
        self.device, self.reporter = device, reporter
        self.network = load_feature_network(settings.features, settings.feature_weights, device)

    def judge(self, state: TrainingState) -> tuple[Report, bool]:
        """Return the scores of G, and whether it is the best so far; that one is kept."""
        report = score_generator(
            state.drawer, self.held, self.network, self.settings, self.device, NullReporter()
        )
        known = report.yours.frechet is not None
        measure = (
            f"{'frechet' if known else 'kid'}/{report.n}/{self.network.key}/{self.held.digest}"
        )
        score = report.yours.frechet if report.yours.frechet is not None else report.yours.kid
        old = state.best
        best = old is None or old.measure != measure or score < old.score
        if best:
            state.best = Best(score, measure)
        if best and state.ranks.first:
            shapes, reals = as_last_seen(state, self.settings)
            checkpoints.save_snapshot(
                self.run.best,
                state.drawer,
                state.D,
                shapes,
                self.settings.recipe,
                state.cur_nimg,
                report.to_dict(),
                reals=reals,
            )
        sentence = f"{state.cur_nimg:,} images: {report.sentence()}"
        self.reporter.note(sentence + (", the best so far" if best else ""))
        return report, best


def check_holdout(settings: Settings) -> None:
    """Check, before any image is opened, that scores are asked for if and only if they can be.

    Raises:
        SettingsError: if nothing is held out to score against, or a folder for that goes unused.
    """
    if settings.evaluate_every is None and settings.holdout_data is not None:
        raise SettingsError("--holdout-data is used by --evaluate-every; give both")
    if settings.holdout and settings.holdout_data is not None:
        raise SettingsError(
            "--holdout and --holdout-data: both are images to score against; leave one out"
        )
    if settings.evaluate_every and not settings.holdout and settings.holdout_data is None:
        raise SettingsError(
            "--evaluate-every needs images that are not learnt from: "
            "--holdout 0.05, or --holdout-data DIR"
        )


def split_images(
    images: ImageSet, settings: Settings, reporter: Reporter
) -> tuple[ImageSet, ImageSet | None]:
    """Return what is learnt from, and what is scored against if the settings hold any out."""
    held = None
    if settings.holdout:
        images, held = images.split(settings.holdout, settings.seed)
        if not settings.evaluate_every:
            reporter.note(
                f"--holdout: {len(held):,} images are not learnt from, and wait for an "
                "--evaluate-every"
            )
    if settings.holdout_data is not None:
        held = open_folder(
            settings.holdout_data, "--holdout-data", settings.size, settings, reporter
        )
    return images, held
