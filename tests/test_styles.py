"""Styles in a folder: found by name, checked before anything loads them, refused by name and reason."""

import hashlib
import os
import socket
import time

import pytest

from crafted import packed, reason, tensor
from realbot.errors import Invalid
from realbot.styles import MANIFEST, Style, Styles, slug


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "styles"
    path.mkdir()
    return path


def test_a_file_is_found_with_what_it_says_about_itself(folder):
    content = packed(
        metadata={
            "realbot.title": "Ink wash",
            "realbot.trigger": "ink wash",
            "modelspec.description": "bold lines",
            "ss_base_model_version": "flux1",
            "realbot.model": "mini",
        }
    )
    path = folder / "ink.safetensors"
    path.write_bytes(content)
    styles = Styles([folder, folder.parent / "absent"])
    assert styles.all() == [
        Style(
            name="ink",
            path=path,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            title="Ink wash",
            trigger="ink wash",
            description="bold lines",
            family="flux",
            base="mini",
        )
    ]
    assert not styles.broken


@pytest.mark.parametrize(
    ("metadata", "names", "family"),
    [
        ({"modelspec.architecture": "flux-1-dev/lora"}, "x", "flux"),
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "x", "sdxl"),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "x", "sdxl"),
        ({"ss_base_model_version": "sd_v1"}, "x", "sd15"),
        ({"modelspec.architecture": "stable-diffusion-3.5-large/lora"}, "x", "sd3"),
        ({}, "transformer.single_transformer_blocks.0.attn.to_q", "flux"),
        ({}, "lora_unet_double_blocks_0_img_attn_qkv", "flux"),
        ({}, "lora_unet_single_blocks_0_linear1", "flux"),
        ({}, "transformer.transformer_blocks.0.attn.add_k_proj", ""),
        ({}, "diffusion_model.joint_blocks.0.x", "sd3"),
        ({}, "x", ""),
    ],
)
def test_the_family_is_what_the_file_says_else_what_its_layers_are_called(folder, metadata, names, family):
    layer = {f"{names}.lora_A.weight": tensor(4, 8), f"{names}.lora_B.weight": tensor(8, 4)}
    (folder / "x.safetensors").write_bytes(packed(layer, metadata))
    assert Styles([folder]).get("x").family == family


def test_a_name_is_found_however_it_is_written(folder):
    (folder / "Ink Wash v1.0.safetensors").write_bytes(packed())
    styles = Styles([folder])
    assert styles.names() == ["ink-wash-v1-0"]
    for name in ("ink-wash-v1-0", "Ink Wash v1.0", " INK-WASH-V1-0 ", "ｉｎｋ-wash-v1-0"):
        assert styles.get(name).name == "ink-wash-v1-0"


def test_an_unknown_name_is_refused_with_the_nearest(folder):
    for name in ("ink", "realism"):
        (folder / f"{name}.safetensors").write_bytes(packed())
    styles = Styles([folder])
    with pytest.raises(Invalid, match=r"no style realsm; did you mean realism\?") as caught:
        styles.get("realsm")
    assert (caught.value.word, caught.value.nearest) == ("realsm", "realism")
    with pytest.raises(Invalid, match="there are ink, realism"):
        styles.get("watercolour")
    with pytest.raises(Invalid, match="there are no styles here"):
        Styles([]).get("ink")


PATHS = [
    "../ink", "..\\ink", "../../etc/passwd", "/etc/passwd", "C:\\x", "%2e%2e%2fink", "．．／ink", "‥/ink", "ink/../ink",
    "ink\x00", "ink\n", "", " ", ".", "..", "~", "~root", "$HOME", "`id`", "ink;rm", "ink|x", "*", "?", "[a]", "ink%00",
    "file:///x", "http://x", "\\\\host\\x", "ink.safetensors/..", "\u202eink", "i\u200bnk", "ⅰnk/", "ink" * 100, "猫",
    "a" * 50_000, "{0.__class__}", "%s", "' OR 1=1 --", "<b>", "@everyone", "..%c0%af", "ink::$DATA", "CON", "nul",
    "com1",
]  # fmt: skip


@pytest.mark.parametrize("name", PATHS, ids=lambda name: ascii(name[:20]))
def test_X9_X10_a_path_is_never_a_name(folder, name):
    (folder / "ink.safetensors").write_bytes(packed())
    (folder.parent / "ink.safetensors").write_bytes(packed())
    styles = Styles([folder])
    if slug(name) == "ink":
        assert styles.get(name).path == folder / "ink.safetensors"
        return
    with pytest.raises(Invalid) as caught:
        styles.get(name)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("stem", ["none", "CON", "com1", "-x", "_x", "a" * 65, "café", "a+b", "猫", "a'b", "x;y"])
def test_X10_a_file_needs_a_plain_name(folder, stem):
    assert "rename the file" in reason(folder, packed(), f"{stem}.safetensors")


def test_L6_a_huge_file_is_refused_unread(folder):
    path = folder / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(20 << 30)
    began = time.perf_counter()
    assert Styles([folder]).broken == {"huge.safetensors": "is larger than 4096 MB"}
    assert time.perf_counter() - began < 1


def test_L7_what_is_hashed_is_what_was_checked(folder, monkeypatch):
    """The file is swapped between the look at it and its opening, then again after."""
    path = folder / "x.safetensors"
    path.write_bytes(packed())
    other = packed(metadata={"realbot.title": "other"})
    real = os.open

    def swapping(name, *rest, **more):
        if str(name).endswith("x.safetensors"):
            replacement = folder.parent / "new"
            replacement.write_bytes(other)
            replacement.replace(path)
        return real(name, *rest, **more)

    monkeypatch.setattr(os, "open", swapping)
    styles = Styles([folder])
    monkeypatch.undo()
    assert (styles.get("x").title, styles.get("x").sha256) == ("other", hashlib.sha256(other).hexdigest())
    replacement = folder.parent / "new"
    replacement.write_bytes(packed())
    replacement.replace(path)
    assert styles.sweep()
    assert styles.get("x").sha256 == hashlib.sha256(packed()).hexdigest()


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are those of POSIX")
def test_L8_only_regular_files_inside_the_folder_count(folder):
    outside = folder.parent / "outside.safetensors"
    outside.write_bytes(packed())
    (folder / "link.safetensors").symlink_to(outside)
    (folder / "dangling.safetensors").symlink_to(folder / "absent")
    (folder / "device.safetensors").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.safetensors")
    (folder / "folder.safetensors").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s.safetensors"))
        styles = Styles([folder])
    assert styles.names() == []
    assert {name: text.split(";")[0] for name, text in styles.broken.items()} == {
        "link.safetensors": "is a link",
        "dangling.safetensors": "is a link",
        "device.safetensors": "is a link",
        "pipe.safetensors": "is not a regular file",
        "folder.safetensors": "is not a regular file",
        "s.safetensors": "is not a regular file",
    }


def test_L8_a_link_put_in_place_of_the_file_is_not_followed(folder, monkeypatch):
    path = folder / "x.safetensors"
    path.write_bytes(packed())
    secret = folder.parent / "secret"
    secret.write_bytes(packed())
    real = os.open

    def swapping(name, *rest, **more):
        if str(name).endswith("x.safetensors"):
            path.unlink()
            path.symlink_to(secret)
        return real(name, *rest, **more)

    monkeypatch.setattr(os, "open", swapping)
    assert "cannot be read" in Styles([folder]).broken["x.safetensors"]


def test_L9_metadata_is_one_short_line_without_control_characters(folder):
    wild = "a\x1b[31m\u202eb\u200b\x00c\r\nd" + "x" * 900_000
    (folder / "x.safetensors").write_bytes(packed(metadata={"realbot.title": wild, "realbot.trigger": "\x07"}))
    style = Styles([folder]).get("x")
    assert style.title.startswith("a[31mbc d")
    assert len(style.title) <= 80
    assert style.title.isprintable()
    assert style.trigger == ""


def test_L11_two_files_with_one_name_are_both_refused(folder):
    for name in ("Ink.safetensors", "ink.safetensors", "ok.safetensors"):
        (folder / name).write_bytes(packed())
    if len(list(folder.iterdir())) < 3:
        pytest.skip("this file system folds case")
    styles = Styles([folder])
    assert styles.names() == ["ok"]
    assert styles.broken["Ink.safetensors"] == "has the same name as ink.safetensors; rename one of them"
    assert styles.broken["ink.safetensors"] == "has the same name as Ink.safetensors; rename one of them"


@pytest.mark.parametrize(
    ("one", "other"),
    [("ink", "\uff49\uff4e\uff4b"), ("my-ink", "my ink"), ("fine", "\ufb01ne"), ("caf\u00e9", "cafe\u0301")],
)
def test_L11_two_forms_of_one_name_in_unicode_are_both_refused(folder, one, other):
    """Wide letters, a ligature, and an accent as one character or two."""
    for name in (one, other):
        (folder / f"{name}.safetensors").write_bytes(packed())
    if len(list(folder.iterdir())) < 2:
        pytest.skip("this file system composes names")
    styles = Styles([folder])
    assert styles.names() == []
    assert len(styles.broken) == 2
    assert all("same name" in why or "needs a name" in why for why in styles.broken.values())


def test_L11_the_earlier_folder_wins(folder):
    other = folder.parent / "other"
    other.mkdir()
    for place in (folder, other):
        (place / "ink.safetensors").write_bytes(packed())
    styles = Styles([other, folder])
    assert styles.get("ink").path == other / "ink.safetensors"
    assert "which comes first" in styles.broken["ink.safetensors"]


def test_L12_a_file_must_have_the_hash_that_is_listed(folder):
    path = folder / "ink.safetensors"
    path.write_bytes(packed())
    good = hashlib.sha256(packed()).hexdigest()
    (folder / MANIFEST).write_text(f"{good}  ink.safetensors\n")
    styles = Styles([folder])
    assert styles.names() == ["ink"]
    flipped = bytearray(packed())
    flipped[-1] ^= 1
    path.write_bytes(flipped)
    assert styles.sweep()
    assert styles.broken == {"ink.safetensors": "does not have the hash that SHA256SUMS lists"}
    (folder / MANIFEST).write_text(f"{hashlib.sha256(flipped).hexdigest()} *ink.safetensors\n")
    assert styles.sweep()
    assert styles.names() == ["ink"]


def test_a_sweep_sees_what_came_changed_and_went_and_reads_nothing_twice(folder, monkeypatch):
    styles = Styles([folder])
    assert not styles.sweep()
    path = folder / "ink.safetensors"
    path.write_bytes(packed()[:-1])
    assert styles.sweep()
    assert styles.broken == {"ink.safetensors": "is shorter than its tensors"}
    path.write_bytes(packed())
    assert styles.sweep()
    assert (styles.names(), dict(styles.broken)) == (["ink"], {})
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: pytest.fail("a file was read again"))
        assert not styles.sweep()
    (folder / "notes.txt").write_text("not a style")
    (folder / ".hidden.safetensors").write_bytes(b"")
    assert not styles.sweep()
    path.unlink()
    assert styles.sweep()
    assert styles.names() == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_named(folder):
    path = folder / "ink.safetensors"
    path.write_bytes(packed())
    path.chmod(0)
    assert "cannot be read: Permission denied" in Styles([folder]).broken["ink.safetensors"]
