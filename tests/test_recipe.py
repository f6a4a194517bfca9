"""The text in PNG files that other image tools read."""

import re

from realbot.jobs import Generate, StyleUse
from realbot.recipe import parameters, told

HASH = "ab12cd34ef" + "0" * 54


def fields(line: str) -> dict[str, str]:
    """Read the last line as the tools do: names, colons, values that are in quotes when they hold a comma."""
    return {name: value.strip('"') for name, value in re.findall(r'([\w ]+): ("[^"]*"|[^,]*)(?:, |$)', line)}


def test_a_flux_picture():
    request = Generate(
        prompt="a red apple",
        negative="text, blur",
        width=768,
        height=512,
        steps=28,
        guidance=3.5,
        true_cfg=1.0,
        scheduler="euler",
        styles=(StyleUse("ink", 0.8),),
    )
    text = parameters(request, 7, "flux-dev", "0.1.0", styles={"ink": HASH}, distilled=True)
    assert text == (
        "a red apple <lora:ink:0.8>\nNegative prompt: text, blur\n"
        "Steps: 28, Sampler: Euler, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 7, Size: 768x512, Model: flux-dev, "
        'Lora hashes: "ink: ab12cd34ef", Version: realbot 0.1.0'
    )


def test_the_sd_family_has_one_guidance_and_its_samplers_names():
    request = Generate(
        prompt="a", width=512, height=512, steps=20, guidance=7.5, true_cfg=1.0, scheduler="dpm++2m-karras"
    )
    read = fields(parameters(request, 1, "sd15", "1").splitlines()[-1])
    assert read == {
        "Steps": "20",
        "Sampler": "DPM++ 2M Karras",
        "CFG scale": "7.5",
        "Seed": "1",
        "Size": "512x512",
        "Model": "sd15",
        "Version": "realbot 1",
    }


def test_true_cfg_stands_beside_the_distilled_guidance():
    request = Generate(prompt="a", negative="b", steps=4, guidance=3.5, true_cfg=2.0)
    read = fields(parameters(request, 1, "flux-dev", "1").splitlines()[-1])
    assert (read["CFG scale"], read["Distilled CFG Scale"]) == ("2", "3.5")


def test_values_that_hold_marks_are_in_quotes_and_lines_stay_lines():
    request = Generate(prompt="two\nlines", steps=1, strength=0.6, styles=(StyleUse("a"), StyleUse("b", -1)))
    text = parameters(request, 2, "own, model: x", "1", styles={"a": HASH, "b": HASH})
    prompt, settings = text.rsplit("\n", 1)
    assert prompt == "two\nlines <lora:a:1> <lora:b:-1>"
    read = fields(settings)
    assert read["Model"] == "own, model: x"
    assert read["Denoising strength"] == "0.6"
    assert read["Lora hashes"] == "a: ab12cd34ef, b: ab12cd34ef"


def test_a_file_of_a_million_chunks_is_not_read_to_its_end():
    begin, empty = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0junk\0\0\0\0"
    text = b"\0\0\0\x0ctEXt" + b"parameters\0a" + b"\0\0\0\0"
    assert told(begin + empty * 50 + text) == "a"
    assert told(begin + empty * 1_000_000 + text) == ""
