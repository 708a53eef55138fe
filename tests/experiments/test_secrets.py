"""Promises of `discovery.experiments.secrets`: a secret goes to the laboratory it is for, and nowhere else."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from discovery.campaign import CampaignSpec, dump_spec
from discovery.errors import ConfigurationError
from discovery.experiments import carry_out
from discovery.experiments import secrets as module
from discovery.experiments.http import HttpAdapter
from discovery.experiments.secrets import MASK, is_missing, read_secret, redact, register_source
from discovery.space import SearchSpace
from discovery.store import Store
from tests.experiments.fake_lab import DROP, FakeLab, Said

SECRET = "s3cret/Token+with=signs"
FIRST = "lab-c001-00"


@pytest.fixture(autouse=True)
def _sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TOKEN", f" {SECRET}\n")
    monkeypatch.setattr(module, "_sources", dict(module._sources))


@pytest.fixture
def lab() -> Iterator[FakeLab]:
    """A laboratory that wants the secret."""
    with FakeLab(token=SECRET).opened() as lab:
        yield lab


@pytest.fixture
def make_adapter(make_spec: Callable[..., CampaignSpec]) -> Callable[..., HttpAdapter]:
    """Return a function that makes the adapter of a laboratory, with the secret."""

    def make(url: str, token: str | None = "env:LAB_TOKEN") -> HttpAdapter:
        said = {"type": "http", "url": url, "poll": "0.02s", "wait": "0.3s"} | ({"token": token} if token else {})
        spec = make_spec(experiment=said)
        return HttpAdapter.from_spec(spec, SearchSpace.from_spec(spec))

    return make


Make = Callable[..., HttpAdapter]


def test_a_secret_reaches_its_laboratory(lab: FakeLab, make_adapter: Make, store: Store) -> None:
    """It is sent as a bearer token with every request, without the white space around it."""
    adapter = make_adapter(lab.url)
    assert carry_out(store, [FIRST], adapter, adapter.spec)[0].outcomes == {"yield": 45.0}
    assert {headers["authorization"] for *_, headers in lab.seen} == {f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    "said",
    [
        Said(200, {"outcomes": {"yield": 1}, "extra": {"you sent": SECRET}, "error": SECRET}),
        Said(422, {"error": f"Not with {SECRET}"}),
        Said(500, f"<html>{SECRET}"),
        Said(200, {"status": "failed", "error": f"tried with {SECRET}"}),
        Said(200, {"status": f"{SECRET}"}),
        Said(401, {"error": f"wrong: {SECRET}"}),
        Said(DROP),
    ],
)
def test_a_secret_stands_nowhere(
    lab: FakeLab,
    make_adapter: Make,
    store: Store,
    said: Said,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Whatever a laboratory repeats of it, it is in no record, error, log, file and representation."""
    caplog.set_level(logging.DEBUG)
    lab.posts[:] = [said]
    adapter = make_adapter(lab.url)
    errors = []
    try:
        carry_out(store, [FIRST], adapter, adapter.spec)
    except ConfigurationError as error:
        errors = [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
    assert len(lab.seen) >= 1 and SECRET in str(lab.seen), "the secret must have been sent"
    seen = [
        *errors,
        caplog.text,
        *capfd.readouterr(),
        repr(vars(adapter)),
        repr(vars(adapter.connection)),
        store.trials("lab").to_csv(),
    ]
    assert "httpx" in caplog.text, "the logs must have been looked at"
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert SECRET not in "".join(seen)
    assert SECRET.encode() not in b"".join(kept)


def test_a_secret_that_is_refused_is_named_by_its_place(lab: FakeLab, make_adapter: Make, store: Store) -> None:
    """The error says which reference was used, and a renewed secret is read by the next call."""
    lab.token = "another"
    adapter = make_adapter(lab.url)
    with pytest.raises(ConfigurationError, match=r"refused the secret env:LAB_TOKEN \(401\)") as caught:
        carry_out(store, [FIRST], adapter, adapter.spec)
    assert SECRET not in str(caught.value)
    lab.token = SECRET
    assert carry_out(store, [FIRST], adapter, adapter.spec)[0].attempt == 1


@pytest.mark.parametrize("status", [307, 308, 303])
def test_another_host_does_not_get_the_secret(lab: FakeLab, make_adapter: Make, store: Store, status: int) -> None:
    """Where the laboratory sends elsewhere, the order goes there and the token does not."""
    with FakeLab(n_polls=0).opened() as other:
        elsewhere = other.url.replace("localhost", "127.0.0.1")
        other.gets[:] = [Said(200, {"id": "a", "outcomes": {"yield": 2}})]
        lab.posts[:] = [Said(status, "", {"Location": elsewhere})]
        adapter = make_adapter(lab.url)
        carry_out(store, [FIRST], adapter, adapter.spec)
    assert lab.seen[0][2]["authorization"] == f"Bearer {SECRET}"
    assert other.seen and SECRET not in str(other.seen)


@pytest.mark.parametrize(
    ("reference", "value", "words"),
    [
        ("env:LAB_TOKEN", None, "must be set; the environment has no variable LAB_TOKEN"),
        ("env:LAB_TOKEN", "  ", "must be set"),
        ("env:LAB_TOKEN", "two words", "one word of printable ASCII"),
        ("env:LAB_TOKEN", "line\nbreak", "one word of printable ASCII"),
        ("env:LAB_TOKEN", "schlüssel", "one word of printable ASCII"),
        ("block:lab", None, "must be of a source that is known here: env"),
    ],
)
def test_a_secret_that_cannot_be_used_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, reference: str, value: str | None, words: str
) -> None:
    """What cannot stand in a header is refused before a library quotes it in an error."""
    monkeypatch.delenv("LAB_TOKEN")
    if value is not None:
        monkeypatch.setenv("LAB_TOKEN", value)
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_secret(reference)
    assert value is None or not value.strip() or value not in str(caught.value)


def test_sources_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another kind of place is read by the function that was registered for it."""
    register_source("block", lambda name: f"from-{name}")
    secret = read_secret("block:lab")
    assert (secret.get_secret_value(), str(secret), repr(secret)) == ("from-lab", MASK, f"SecretStr('{MASK}')")
    assert is_missing("env:NO_SUCH_VARIABLE") and not is_missing("env:LAB_TOKEN") and not is_missing("block:x")


def test_a_secret_is_masked_however_json_writes_it() -> None:
    """Quotes, backslashes and slashes are written otherwise in JSON; all forms are masked."""
    secret, odd = read_secret("env:LAB_TOKEN"), SecretStr('a"b\\c')
    assert redact(json.dumps({"said": odd.get_secret_value()}), odd) == f'{{"said": "{MASK}"}}'
    assert redact(SECRET.replace("/", "\\/"), secret) == MASK
    assert redact("nothing", None) == "nothing"


def test_validate_warns_of_what_is_not_set(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> None:
    """`discovery validate` accepts a file whose secret is not here, and says so, and what is unwise."""
    spec = make_spec(experiment={"type": "http", "url": "http://lab.example/x", "token": "env:NO_SUCH_VARIABLE"})
    dump_spec(spec, tmp_path / "lab.yaml")
    command = [sys.executable, "-m", "discovery.cli.main", "validate", str(tmp_path / "lab.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "is valid" in done.stdout
    assert "The secret env:NO_SUCH_VARIABLE (experiment.token) is not set here" in done.stderr
    assert "unencrypted" in done.stderr


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that nobody vouches for, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path / "certificate.pem"
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + made.public_bytes(encoding))
    return path


def test_an_unknown_certificate_gets_nothing(
    make_adapter: Make, store: Store, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laboratory that cannot prove who it is gets no order and no secret; one whose authority is named does."""
    with FakeLab(token=SECRET, certificate=str(certificate)).opened() as lab:
        adapter = make_adapter(lab.url)
        with pytest.raises(ConfigurationError, match=r"certificate of https://localhost.* must be one that"):
            carry_out(store, [FIRST], adapter, adapter.spec)
        assert lab.seen == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        adapter = make_adapter(lab.url)
        assert carry_out(store, [FIRST], adapter, adapter.spec)[0].outcomes == {"yield": 45.0}


def test_a_secret_in_the_file_is_refused_and_not_repeated(make_spec: Callable[..., CampaignSpec]) -> None:
    """Who pastes the secret itself is told where it belongs; the message may end up in a log."""
    with pytest.raises(ConfigurationError, match=r"experiment\.token must say where the secret is") as caught:
        make_spec(experiment={"type": "http", "url": "https://lab.example/x", "token": SECRET})
    assert SECRET not in f"{caught.value}{caught.value.__cause__!r}"
