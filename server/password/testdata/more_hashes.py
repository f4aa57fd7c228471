"""Prints password hashes as Django's own hashers make them, and what check_password says of them, for more_hashes.json.

Django 4.2 is the last that has them all, with a Python before 3.13: pip install django==4.2.* argon2-cffi bcrypt; python more_hashes.py >more_hashes.json
Debian's Django 3.2 with argon2-cffi 21.1 prints the same, without scrypt.
"""
import json
import warnings

warnings.simplefilter("ignore")

import argon2
import django
from argon2.low_level import Type, hash_secret
from django.conf import settings

NAMES = "PBKDF2 PBKDF2SHA1 Argon2 BCryptSHA256 BCrypt Scrypt SHA1 MD5 UnsaltedSHA1 UnsaltedMD5 Crypt".split()
hashers = __import__("django.contrib.auth.hashers", fromlist=["x"])
settings.configure(PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{n}PasswordHasher" for n in NAMES if hasattr(hashers, n + "PasswordHasher")])
django.setup()

vectors = []


def add(algorithm, password, encoded, note):
    try:
        verifies = hashers.check_password(password, encoded)
    except ValueError as error:  # a NUL in what crypt(3) takes
        verifies, note = False, f"{note}: {error}"
    vectors.append({"algorithm": algorithm, "password": password, "encoded": encoded, "verifies": verifies, "note": note})


def argon(kind, version, password, salt, length, marked, **cost):
    text = hash_secret(password.encode(), salt, hash_len=length, type=kind, version=version, **cost).decode()
    if not marked:
        text = text.replace("v=16$", "")
    return "argon2" + text


PASSWORDS = ["hashed-1", "", "pässwörd-ключ-🔑", "a password of more than eight characters", " x "]
for password in PASSWORDS:
    for salt in ["ab", "./", "zZ", "9A"]:
        add("crypt", password, hashers.CryptPasswordHasher().encode(password, salt), f"salt {salt}")
add("crypt", "12345678", hashers.CryptPasswordHasher().encode("123456789", "ab"), "only 8 bytes count")
add("crypt", "1234567", hashers.CryptPasswordHasher().encode("12345678", "ab"), "7 bytes are not 8")
add("crypt", "hashed-1", "crypt$ab$abSjO86SitLUc", "with the salt of its own that Django once wrote")
add("crypt", "hashed-2", "crypt$$abSjO86SitLUc", "wrong password")
add("crypt", "hashed-1\0", "crypt$$abSjO86SitLUc", "NUL")
add("crypt", "hashed-1", "crypt$$abSjO86SitLUd", "bits that no tag has")
add("crypt", "x", "crypt$$*0", "what crypt(3) answers to a salt that it does not know")
add("crypt", "x", "crypt$$", "empty")

for kind in Type:
    for version in [16, 19]:
        for marked in [True] if version == 19 else [True, False]:
            v = f"v={version}" if marked else "no v="
            for cost in [(512, 2, 2), (8, 1, 1), (64, 3, 1), (100, 4, 3), (2304, 2, 1)]:  # 2304 KiB: more than a block of addresses for a segment
                c = dict(zip(["memory_cost", "time_cost", "parallelism"], cost))
                add("argon2", "hashed-1", argon(kind, version, "hashed-1", b"saltsaltsalt1234", 16, marked, **c), f"{kind.name}, {v}, {cost}")
            add("argon2", "hashed-2", argon(kind, version, "hashed-1", b"saltsalt", 32, marked, memory_cost=8, time_cost=1, parallelism=1), f"{kind.name}, {v}, wrong password")
            long = argon(kind, version, PASSWORDS[2], b"0123456789" * 4, 64, marked, memory_cost=32, time_cost=2, parallelism=4)
            add("argon2", PASSWORDS[2], long, f"{kind.name}, {v}, 64 bytes of tag")

for work, r, p in [(2, 1, 1), (16, 8, 1), (1024, 1, 16), (512, 16, 3)]:
    h = hashers.ScryptPasswordHasher() if hasattr(hashers, "ScryptPasswordHasher") else None
    if h:
        add("scrypt", "hashed-1", h.encode("hashed-1", "seasalt", work, r, p), f"N={work} r={r} p={p}")

print(json.dumps({"django": django.get_version(), "argon2": argon2.__version__, "vectors": vectors}, indent=1, ensure_ascii=False))
