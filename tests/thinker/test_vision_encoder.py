"""The vision encoder against transformers 4.57.1, in float32 with random weights."""

import pytest
import torch

from omnirt.errors import InputError
from omnirt.thinker import vision_encoder
from omnirt.thinker.config import VisionConfig
from omnirt.thinker.vision_encoder import VisionEncoder
from stubs import DictWeights

CONFIG = VisionConfig(
    depth=4,
    hidden_size=32,
    num_heads=2,
    intermediate_size=44,
    patch_size=2,
    temporal_patch_size=2,
    spatial_merge_size=2,
    window_size=16,  # 4 x 4 merge units, as in the released models
    full_attention_blocks=frozenset({1, 3}),
    out_hidden_size=20,
    in_channels=3,
)
GRIDS = {
    "one unit": [(1, 2, 2)],
    "whole windows": [(1, 16, 8)],
    "partial windows": [(1, 18, 10)],
    "wide": [(1, 2, 38)],
    "pictures": [(1, 6, 12), (1, 14, 4), (1, 6, 12)],
    "video": [(5, 6, 10)],
    "videos": [(2, 10, 18), (1, 2, 2), (3, 4, 8)],
}


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def reference(modeling, request):
    config = modeling.Qwen2_5OmniVisionEncoderConfig(
        depth=CONFIG.depth,
        hidden_size=CONFIG.hidden_size,
        num_heads=CONFIG.num_heads,
        intermediate_size=CONFIG.intermediate_size,
        patch_size=CONFIG.patch_size,
        temporal_patch_size=CONFIG.temporal_patch_size,
        spatial_merge_size=CONFIG.spatial_merge_size,
        window_size=CONFIG.window_size,
        fullatt_block_indexes=sorted(CONFIG.full_attention_blocks),
        out_hidden_size=CONFIG.out_hidden_size,
        in_channels=CONFIG.in_channels,
        attn_implementation=request.param,
    )
    model = modeling.Qwen2_5OmniVisionEncoder(config).eval().requires_grad_(False)
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.normal_(std=0.2)
    return model


@pytest.fixture(scope="module")
def encoder(reference):
    return VisionEncoder(CONFIG, DictWeights(reference.state_dict()))


def patches(grids):
    rows = sum(t * h * w for t, h, w in grids)
    return torch.randn(rows, CONFIG.patch_dim, generator=torch.Generator().manual_seed(rows))


@pytest.mark.parametrize("group", [1, 150, 4096])
@pytest.mark.parametrize("grids", GRIDS.values(), ids=GRIDS)
def test_equals_transformers_however_frames_are_grouped(
    reference, encoder, grids, group, monkeypatch
):
    monkeypatch.setattr(vision_encoder, "GROUP_PATCHES", group)
    x = patches(grids)
    got = encoder(x, grids)
    want = reference(x, torch.tensor(grids))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, want, rtol=1e-5, atol=2e-5)


def test_frames_are_independent(encoder):
    grid = (3, 6, 10)
    x = patches([grid])
    alone = torch.cat([encoder(frame, [(1, 6, 10)]) for frame in x.chunk(3)])
    torch.testing.assert_close(encoder(x, [grid]), alone, rtol=1e-5, atol=1e-5)


def test_no_pictures(encoder):
    assert encoder(patches([]), []).shape == (0, CONFIG.out_hidden_size)


@pytest.mark.parametrize("grid", [(1, 3, 4), (1, 4, 3), (0, 4, 4), (1, 0, 4)])
def test_grids_that_do_not_merge_are_refused(encoder, grid):
    with pytest.raises(InputError, match="multiples of 2"):
        encoder(patches([grid]), [grid])


def test_patches_of_another_grid_are_refused(encoder):
    with pytest.raises(InputError, match=r"patches.shape=\(24, 24\).* need \(16, 24\)"):
        encoder(patches([(1, 4, 6)]), [(1, 4, 4)])
