"""RSA as a second opinion: signatures are made and checked here with `cryptography`."""

import base64

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def private_key(text):
    """A private key from PEM, or from the bare base64 of PKCS#8 or PKCS#1."""
    if "BEGIN" in text:
        return serialization.load_pem_private_key(text.encode(), None)
    return serialization.load_der_private_key(base64.b64decode(text), None)


def public_key(text):
    """A public key from PEM, or from the bare base64 of SPKI."""
    if "BEGIN" in text:
        return serialization.load_pem_public_key(text.encode())
    return serialization.load_der_public_key(base64.b64decode(text))


def new_private_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pkcs1_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def spki_pem(key):
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def sign(key, message):
    """Base64 of the RSASSA-PKCS1-v1_5 signature with SHA-256."""
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def is_signed(key, message, signature):
    """Whether `signature` (base64 text) is the key's over `message`."""
    try:
        key.verify(base64.b64decode(signature), message, padding.PKCS1v15(), hashes.SHA256())
        return True
    except (InvalidSignature, ValueError):
        return False
