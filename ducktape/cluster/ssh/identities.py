# SPDX-License-Identifier: Apache-2.0
"""Loads private keys of any format; imports paramiko."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import io
import os
import stat
from typing import TYPE_CHECKING

import paramiko

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.hazmat.primitives.serialization.ssh import SSHPrivateKeyTypes

_CERTIFICATE = "-cert.pub"
_PUBLIC_KEY = (
    b"ssh-",
    b"ecdsa-sha2-",
    b"sk-ssh-",
    b"sk-ecdsa-",
    b"---- BEGIN SSH2 PUBLIC KEY",
    b"-----BEGIN PUBLIC KEY",
)
_PUTTY = b"PuTTY-User-Key-File"
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
# Keys are small; a larger file is a mistake, or an endless device
_LARGEST = 1 << 20


@dataclasses.dataclass(frozen=True)
class Identity:
    """A private key with its path; includes the certificate if there is one."""

    path: str
    key: paramiko.PKey

    def __str__(self) -> str:
        return f"{self.path} ({self.key.get_name()})"


def load_identities(
    paths: Sequence[str], passphrase: str | None
) -> tuple[list[Identity], list[OSError | paramiko.SSHException]]:
    """Load private keys from files or certificates (``-cert.pub``); returns the keys, and the errors of others."""
    identities: list[Identity] = []
    errors: list[OSError | paramiko.SSHException] = []
    for path in paths:
        try:
            identities.append(load_identity(path, passphrase))
        except (OSError, paramiko.SSHException) as error:
            errors.append(error)
    return identities, errors


def load_identity(path: str, passphrase: str | None) -> Identity:
    """Load a private key and its certificate, from the path of either; errors say what to do."""
    key_path = path.removesuffix(_CERTIFICATE)
    data = _read(key_path)
    _refuse_what_is_no_private_key(data, key_path)
    key = _decoded(data, key_path, passphrase)
    certificate = key_path + _CERTIFICATE
    if path == certificate or os.path.isfile(certificate):
        try:
            key.load_certificate(certificate)
        except (ValueError, binascii.Error, paramiko.SSHException) as error:
            raise paramiko.SSHException(f"{certificate} is no certificate of the key {key_path}: {error}") from error
    return Identity(key_path, key)


def public_blobs(paths: Sequence[str]) -> set[bytes]:
    """Return the public keys next to identity files, to find their private keys in an agent."""
    blobs = set()
    for path in paths:
        for candidate in (path, f"{path}.pub"):
            with contextlib.suppress(OSError, IndexError, ValueError):
                blobs.add(base64.b64decode(_read(candidate).split()[1], validate=True))
    return blobs


def secret_bytes(secret: str) -> bytes:
    """Encode a password without an error, which would contain it."""
    try:
        # Environment variables may not be UTF-8
        return secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return secret.encode("utf-8", "surrogatepass")


def _read(path: str) -> bytes:
    try:
        if not stat.S_ISREG(mode := os.stat(path).st_mode) and not stat.S_ISDIR(mode):
            raise paramiko.SSHException(f"{path} is no private key: it is not even a regular file")
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        advice = "identityfile must name a private key on the machine that runs ducktape"
        if path.startswith("~"):
            advice = "'~' is not expanded in identityfile: write the whole path"
        elif isinstance(error, PermissionError):
            advice = "the user who runs ducktape must be able to read the private key"
        error.strerror = f"{error.strerror}: {advice}"
        raise
    except ValueError as error:
        raise paramiko.SSHException(f"the identity file {path!r} cannot be opened: {error}") from error
    if len(data) > _LARGEST:
        raise paramiko.SSHException(f"{path} is no private key: it is larger than {_LARGEST} bytes")
    return data


def _refuse_what_is_no_private_key(data: bytes, path: str) -> None:
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    reason = ""
    if not text:
        reason = "the file is empty"
    elif text.startswith(_PUBLIC_KEY):
        reason = f"it is a public key; identityfile must name the private one, usually {path.removesuffix('.pub')}"
        if not path.endswith(".pub"):
            reason = "it is a public key; identityfile must name the private one"
    elif text.startswith(_PUTTY):
        reason = f"it is a key of PuTTY; convert it: puttygen {path} -O private-openssh -o {path}.openssh"
    elif b"-----BEGIN " not in text or b"PRIVATE KEY-----" not in text:
        reason = "there is no -----BEGIN ... PRIVATE KEY----- in it; make a key by: ssh-keygen -t ed25519"
    if reason:
        raise paramiko.SSHException(f"{path} is no private key that can be used: {reason}")


def _decoded(data: bytes, path: str, passphrase: str | None) -> paramiko.PKey:
    """Load the key, which may be encrypted."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        try:
            return _as_paramiko_has_it(_deciphered(data, None), path)
        except TypeError as error:  # raised for a missing passphrase
            if not passphrase:
                raise paramiko.PasswordRequiredException(
                    f"{path} is encrypted: give its passphrase as the password of the node, load it into an SSH agent, "
                    f"or take the passphrase off a copy of it: ssh-keygen -p -f {path}"
                ) from error
        return _as_paramiko_has_it(_deciphered(data, secret_bytes(passphrase)), path)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        doubt = ", or the password of the node is not its passphrase" if passphrase else ""
        raise paramiko.SSHException(
            f"{path} cannot be read as a private key ({reason}): it is damaged or of a kind that is not supported"
            f"{doubt}. Look whether this works: ssh-keygen -y -f {path}; convert a copy by: ssh-keygen -p -f {path}"
        ) from error


def _deciphered(data: bytes, passphrase: bytes | None) -> PrivateKeyTypes | SSHPrivateKeyTypes:
    from cryptography.hazmat.primitives import serialization

    if _OPENSSH not in data:
        return serialization.load_pem_private_key(data, passphrase)
    try:
        return serialization.load_ssh_private_key(data[data.index(_OPENSSH) :], passphrase)
    except ValueError as error:
        # Old releases of the library raise this for a missing passphrase
        if passphrase is None and "password-protected" in str(error):
            raise TypeError(str(error)) from error
        raise


def _as_paramiko_has_it(key: PrivateKeyTypes | SSHPrivateKeyTypes, path: str) -> paramiko.PKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    wanted: type[paramiko.PKey]
    if isinstance(key, rsa.RSAPrivateKey):
        wanted = paramiko.RSAKey
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        wanted = paramiko.ECDSAKey
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        wanted = paramiko.Ed25519Key
    else:
        kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
        raise paramiko.SSHException(
            f"{path} holds a key of the kind {kind}, which SSH servers do not take any more or the SSH library does "
            "not know: make another one by: ssh-keygen -t ed25519"
        )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return wanted.from_private_key(io.StringIO(text.decode()))
