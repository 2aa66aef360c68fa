"""The codes that G begins from: learnt by a new run before it trains, then found in each step."""

import numpy as np
import torch
from torch import Tensor

from animegan_cli.data import ImageSet, normalize
from animegan_cli.device import derived_seed
from animegan_cli.networks.coding import Coding
from animegan_cli.networks.projected import Discriminator, Generator
from animegan_cli.reporting import Reporter
from animegan_cli.settings import Settings
from animegan_cli.training_state import TrainingState

LOOKED_AT = 12_000  # images, at most, evenly spaced
_AT_ONCE = 64


@torch.no_grad()
def learn_codes(
    state: TrainingState, settings: Settings, images: ImageSet, reporter: Reporter
) -> None:
    """Fit the codes of a coded G to the images of a run.

    What the numbers of a code mean stays as in ``init``, by which its G knows them; how they are
    distributed is found anew. Where a run flips half of its images, so is every other one looked
    at; few images are looked at both ways. The reporter is told what becomes of a snapshot's G.
    """
    coding, D = coding_of(state), state.D
    if coding is None:
        return
    if coding.fitted:
        reporter.note("--init: G keeps the snapshot's codes, and draws those of these images")
    elif settings.init is not None:
        reporter.note(
            "--init: G draws from codes of these images, and so other ones than the snapshot; "
            "--paired 0 keeps those"
        )
    assert isinstance(D, Discriminator)
    count = min(len(images), LOOKED_AT)
    chosen = np.arange(count) * len(images) // count
    ways = 2 if settings.mirror and 2 * count <= LOOKED_AT else 1
    chosen = chosen.repeat(ways)
    looks = torch.empty(len(chosen), len(coding.center))
    with reporter.task("Looking at images", count, "image") as advance:
        for first in range(0, len(chosen), _AT_ONCE):
            rows = chosen[first : first + _AT_ONCE]
            flips = torch.arange(len(rows)) % 2 == 1 if settings.mirror else None
            batch = normalize(images.batch(rows), flips).to(state.device)
            with state.autocast():
                looks[first : first + len(rows)] = coding.look(batch, D.lite0)
            advance(len(rows) // ways)
        seed = derived_seed(settings.seed, "codes")
        if coding.fitted:
            coding.refit(looks, seed)
        else:
            coding.fit(looks, seed, settings.paired_focus)


def share_codes(state: TrainingState) -> None:
    """Give the codes that the first process has found to all processes, and to the averaged G."""
    coding = coding_of(state)
    if coding is None:
        return
    state.ranks.take_from_first(coding)
    if isinstance(state.G_ema, Generator) and state.G_ema.coding is not None:
        state.G_ema.coding.load_state_dict(coding.state_dict())


def coding_of(state: TrainingState) -> Coding | None:
    """Return what turns noise into codes in G, if G is coded."""
    return state.G.coding if isinstance(state.G, Generator) else None


@torch.no_grad()
def codes_for(
    state: TrainingState, settings: Settings, latents: Tensor, reals: Tensor, rows: slice
) -> tuple[Tensor | None, Tensor | None]:
    """Return what G draws from: codes that noise gives, and in some rows those of real images.

    Args:
        state: its networks; without pairs G is not coded.
        settings: of the step.
        latents: noise ``[N, z_dim]``.
        reals: ``[N, 3, S, S]`` in [-1, 1], at full size.
        rows: which (``paired_rows``).

    Returns:
        Codes ``[N, L]`` in float32, without gradients, and those of all real images where D is told
        of codes; else None.
    """
    if not settings.paired:
        return None, None
    G, D = state.G, state.D
    assert isinstance(G, Generator) and G.coding is not None and isinstance(D, Discriminator)
    codes, telling = G.codes(latents), len(D.embeddings) > 0
    with state.autocast():
        parts = (reals if telling else reals[rows]).split(settings.micro_batch or len(reals))
        looks = torch.cat([G.coding.look(part, D.lite0) for part in parts])
    found = G.coding.encode(looks)
    codes[rows] = found[rows] if telling else found
    return codes, found if telling else None
