"""Small networks whose layers styles change, what they compute, and what diffusers makes of a style."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    EulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel

PLENTY = 1 << 30
SIZE = 32  # inner width of the small transformer


def flux(seed: int = 0, dtype: torch.dtype = torch.float32) -> FluxTransformer2DModel:
    torch.manual_seed(seed)
    model = FluxTransformer2DModel(
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=24,
        pooled_projection_dim=20,
        axes_dims_rope=(4, 6, 6),
        guidance_embeds=True,
    )
    return (model if dtype == torch.float32 else model.to(dtype)).eval().requires_grad_(False)


def clip(seed: int = 0, kind: type = CLIPTextModel) -> torch.nn.Module:
    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=99,
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        projection_dim=32,
    )
    return kind(config).eval().requires_grad_(False)


def unet(seed: int = 0) -> UNet2DConditionModel:
    torch.manual_seed(seed)
    model = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=80,
        cross_attention_dim=64,
    )
    return model.eval().requires_grad_(False)


def flux_pipeline(transformer: FluxTransformer2DModel, text_encoder: torch.nn.Module | None = None) -> FluxPipeline:
    return FluxPipeline(
        scheduler=None,
        vae=None,
        text_encoder=text_encoder,
        tokenizer=None,
        text_encoder_2=None,
        tokenizer_2=None,
        transformer=transformer,
    )


def sdxl_pipeline(
    net: UNet2DConditionModel, one: torch.nn.Module | None = None, two: torch.nn.Module | None = None
) -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        scheduler=EulerDiscreteScheduler(),
        vae=None,
        unet=net,
        text_encoder=one,
        text_encoder_2=two,
        tokenizer=None,
        tokenizer_2=None,
        add_watermarker=False,
    )


def flux_output(model: torch.nn.Module) -> torch.Tensor:
    generator = torch.Generator("cpu").manual_seed(7)
    dtype = next(model.parameters()).dtype
    text, picture = torch.zeros(5, 3), torch.zeros(9, 3)
    picture[:, 1] = torch.arange(9) // 3
    picture[:, 2] = torch.arange(9) % 3
    with torch.no_grad():
        return model(
            hidden_states=torch.randn(1, 9, 16, generator=generator).to(dtype),
            encoder_hidden_states=torch.randn(1, 5, 24, generator=generator).to(dtype),
            pooled_projections=torch.randn(1, 20, generator=generator).to(dtype),
            timestep=torch.tensor([0.5], dtype=dtype),
            guidance=torch.tensor([3.5], dtype=dtype),
            txt_ids=text,
            img_ids=picture,
        ).sample


def unet_output(model: torch.nn.Module) -> torch.Tensor:
    generator = torch.Generator("cpu").manual_seed(7)
    with torch.no_grad():
        return model(
            torch.randn(1, 4, 8, 8, generator=generator),
            torch.tensor([500]),
            torch.randn(1, 5, 64, generator=generator),
            added_cond_kwargs={
                "text_embeds": torch.randn(1, 32, generator=generator),
                "time_ids": torch.randn(1, 6, generator=generator),
            },
        ).sample


def clip_output(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.arange(10)[None]).last_hidden_state


def bits(*modules: torch.nn.Module) -> list[torch.Tensor]:
    return [value.clone() for module in modules for value in module.state_dict().values()]


def same(before: list[torch.Tensor], *modules: torch.nn.Module) -> bool:
    after = bits(*modules)
    return len(before) == len(after) and all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def diffusers_flux(files: list[tuple[Path, float]]) -> torch.Tensor:
    """What diffusers computes for these files, unmerged."""
    pipeline = flux_pipeline(flux())
    for number, (path, _) in enumerate(files):
        pipeline.load_lora_weights(str(path), adapter_name=f"style{number}")
    pipeline.set_adapters([f"style{n}" for n in range(len(files))], [weight for _, weight in files])
    return flux_output(pipeline.transformer)


def close(one: torch.Tensor, two: torch.Tensor) -> bool:
    return torch.allclose(one, two, rtol=0, atol=1e-5)
