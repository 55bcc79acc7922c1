"""Sealed secrets: AES-256-GCM under a key that lies in a file of its own, outside the database and its backups.

What is sealed names its purpose as associated data, so that a sealed value copied to another place does not open there.
"""

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from guardship.errors import GuardshipError, counted

KEY_BYTES = 32
NONCE_BYTES = 12


class SealBroken(GuardshipError):
    code = "vault.seal_broken"


class Vault:
    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @staticmethod
    def open(key_file: Path) -> "Vault":
        """The vault of this key file, which is made, readable by its owner alone, when there is none."""
        if not key_file.exists():
            key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = key_file.with_name(f"{key_file.name}.{secrets.token_hex(4)}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(key_file)
        key = key_file.read_bytes()
        if len(key) != KEY_BYTES:
            raise SealBroken(
                f"the vault key {key_file} has {counted(len(key), 'byte')}, not {KEY_BYTES}",
                hint="restore the key file from your backup of it",
            )
        return Vault(key)

    def seal(self, content: bytes, *, purpose: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, purpose.encode())

    def unseal(self, sealed: bytes, *, purpose: str) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode())
        except InvalidTag as error:
            raise SealBroken(
                f"the sealed value of {purpose} does not open",
                hint="the vault key is not the one it was sealed with, or the value was changed",
            ) from error
