"""What the files in deploy/ promise: nothing runs with more rights than it needs, and nothing is installed unseen."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from realbot.config import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
LOCKS = sorted((DEPLOY / "locks").glob("*.txt"))


def test_H11_the_image_runs_as_nobody_and_writes_to_its_data_only():
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    final = lines.split("FROM ${BASE}\n")[-1]
    assert re.search(r"^USER 10001:10001$", final, re.M)
    assert re.search(r"^VOLUME /data$", final, re.M)
    assert re.search(r"^HEALTHCHECK ", final, re.M)
    assert "ADD " not in lines
    # A tag that moves would change what is built.
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", re.search(r"^ARG BASE=(\S+)$", lines, re.M)[1])


@pytest.mark.parametrize("name", ["realbot", "prometheus", "grafana"])
def test_H11_every_service_is_read_only_without_capabilities(name):
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]) or name == "realbot"
    # Nothing is reachable from outside this machine unless whoever runs it says so.
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_H11_the_files_that_compose_mounts_are_there():
    told = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    mounts = [mount for service in told["services"].values() for mount in service.get("volumes", ())]
    for source in [mount.partition(":")[0] for mount in mounts if mount.startswith(".")]:
        assert (DEPLOY / source).exists(), source


def test_H11_the_pod_is_restricted_and_asks_the_health_of_realbot():
    parts = {part["kind"]: part for part in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))}
    assert parts["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert parts["Deployment"]["spec"]["replicas"] == 1
    assert parts["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    pod = parts["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz?exclude=discord&exclude=telegram"
    assert {"Ingress", "Egress"} == set(parts["NetworkPolicy"]["spec"]["policyTypes"])


def test_the_settings_of_the_pod_are_settings(tmp_path):
    parts = {part["kind"]: part for part in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))}
    file = tmp_path / "realbot.toml"
    file.write_text(parts["ConfigMap"]["data"]["realbot.toml"], encoding="utf-8")
    settings = Settings.load(file, {})
    assert settings.monitor is not None
    (port,) = (p for p in parts["Deployment"]["spec"]["template"]["spec"]["containers"][0]["ports"]
               if p["name"] == "monitor")  # fmt: skip
    assert settings.monitor.port == port["containerPort"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_H11_systemd_rates_the_service_as_well_protected():
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", DEPLOY / "realbot.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-400:] + run.stderr
    assert float(re.search(r"exposure level for \S+ ([\d.]+)", run.stdout)[1]) <= 2.0


def test_the_variables_of_image_and_service_are_settings():
    told = "\n".join((DEPLOY / name).read_text(encoding="utf-8") for name in ("Dockerfile", "realbot.service"))
    named = dict(re.findall(r"(?<![\w#])(REALBOT_[A-Z_]+)=(\S+)", re.sub(r"^#.*", "", told, flags=re.M)))
    assert named
    assert Settings.load(ROOT / "deploy" / "realbot.toml", named).paths.data.is_absolute()


def test_H14_every_package_is_locked_with_the_hashes_of_its_files():
    for lock in LOCKS:
        entries = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8"), flags=re.M)
        for entry in [one for one in entries if "==" in one]:
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), (lock.name, entry[:60])


def test_H14_the_locks_hold_what_is_tested():
    locked = dict(re.findall(r"^([\w.-]+)==([^ \\;]+)", (DEPLOY / "locks" / "realbot.txt").read_text("utf-8"), re.M))
    tested = dict(re.findall(r"^([\w.-]+)==(.+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.M))
    tested = {plain(name): version for name, version in tested.items()}
    assert len(locked) > 80
    assert {name: version for name, version in locked.items() if tested.get(plain(name), version) != version} == {}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_H14_the_bill_of_materials_lists_every_locked_package_and_no_licence_that_binds_realbot():
    bill = json.loads((DEPLOY / "sbom.cdx.json").read_text(encoding="utf-8"))
    listed = {plain(one["name"]): one["version"] for one in bill["components"]}
    for name in ("realbot.txt", "torch-cuda.txt"):
        locked = dict(re.findall(r"^([\w.-]+)==([^ \\;]+)", (DEPLOY / "locks" / name).read_text("utf-8"), re.M))
        assert {plain(package): version for package, version in locked.items()}.items() <= listed.items()
    told = {one["name"]: json.dumps(one.get("licenses", ())) for one in bill["components"]}
    # The lesser licence of python-telegram-bot allows its use by any program.
    assert not {name for name, licence in told.items() if re.search(r"(?<!L)(?<!Lesser )A?GPL", licence)}


def test_H14_a_wheel_that_was_altered_is_refused_and_the_true_one_installs_offline(tmp_path):
    wheel = tmp_path / "wheels" / "leaf-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    packed(wheel, "COLOUR = 'green'\n")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock = tmp_path / "lock.txt"
    lock.write_text(f"leaf==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
    assert installed(lock, wheel.parent, tmp_path / "first").returncode == 0
    assert "green" in (tmp_path / "first" / "leaf.py").read_text(encoding="utf-8")
    packed(wheel, "COLOUR = 'green'\nimport os\n")
    refused = installed(lock, wheel.parent, tmp_path / "second")
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stdout + refused.stderr
    assert not (tmp_path / "second").exists()


def packed(wheel: Path, source: str) -> None:
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("leaf.py", source)
        archive.writestr("leaf-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: leaf\nVersion: 1.0\n")
        archive.writestr(
            "leaf-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("leaf-1.0.dist-info/RECORD", "leaf.py,,\nleaf-1.0.dist-info/METADATA,,\nleaf-1.0.dist-info/WHEEL,,\nleaf-1.0.dist-info/RECORD,,\n")  # fmt: skip  # noqa: E501


def installed(lock: Path, wheels: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pip", "install", "--isolated", "--no-index", "--no-deps", "--require-hashes",
         "--only-binary", ":all:", "--find-links", wheels, "--target", target, "-r", lock],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
