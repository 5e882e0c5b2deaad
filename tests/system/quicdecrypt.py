"""QUIC packets with a short header and AES-128-GCM (RFC 9001 section 5), opened with the secrets of a key log: slow, and enough to
see that a capture and a KeyLogFile are all that it takes."""
import hashlib, hmac


def _sbox():
    p = q = 1
    box = [0] * 256
    while True:
        p = p ^ (p << 1) ^ (0x11b if p & 0x80 else 0)            # times 3
        for n in (1, 2, 4):                                      # divided by 3
            q ^= q << n
        q &= 0xff
        q ^= 0x09 if q & 0x80 else 0
        x = q
        for n in (1, 2, 3, 4):
            x ^= (q << n | q >> (8 - n)) & 0xff
        box[p] = x ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


SBOX = _sbox()


def _double(x):
    return x << 1 ^ (0x11b if x & 0x80 else 0)


class Aes128:
    def __init__(self, key):
        w = [list(key[i:i + 4]) for i in range(0, 16, 4)]
        rcon = 1
        for i in range(4, 44):
            t = w[i - 1]
            if i % 4 == 0:
                t = [SBOX[t[1]] ^ rcon, SBOX[t[2]], SBOX[t[3]], SBOX[t[0]]]
                rcon = _double(rcon)
            w.append([a ^ b for a, b in zip(w[i - 4], t)])
        self.keys = [sum(w[i:i + 4], []) for i in range(0, 44, 4)]

    def block(self, data):
        s = [a ^ b for a, b in zip(data, self.keys[0])]
        for n, k in enumerate(self.keys[1:], 1):
            s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]   # SubBytes, ShiftRows
            if n < 10:
                m = []
                for c in range(0, 16, 4):
                    a = s[c:c + 4]
                    m += [_double(a[i]) ^ _double(a[(i + 1) % 4]) ^ a[(i + 1) % 4] ^ a[(i + 2) % 4] ^ a[(i + 3) % 4] for i in range(4)]
                s = m
            s = [a ^ b for a, b in zip(s, k)]
        return bytes(s)


class Direction:
    """What one side sends under its first application secret."""

    def __init__(self, secret, cid_len):
        def expand(label, n):
            label = b"tls13 " + label
            info = n.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
            return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:n]
        self.aes, self.iv, self.hp = Aes128(expand(b"quic key", 16)), expand(b"quic iv", 12), Aes128(expand(b"quic hp", 16))
        self.cid_len = cid_len

    def open(self, packet):
        """The frames of a packet whose number fits into what it shows of it; None for one with another header."""
        at = 1 + self.cid_len
        if packet[0] & 0x80 or len(packet) < at + 20:
            return None
        mask = self.hp.block(packet[at + 4:at + 20])
        n = ((packet[0] ^ mask[0]) & 3) + 1
        number = bytes(a ^ b for a, b in zip(packet[at:at + n], mask[1:]))
        nonce = bytes(a ^ b for a, b in zip(self.iv, number.rjust(12, b"\0")))
        sealed = packet[at + n:-16]
        stream = b"".join(self.aes.block(nonce + i.to_bytes(4, "big")) for i in range(2, 2 + (len(sealed) + 15) // 16))
        return bytes(a ^ b for a, b in zip(sealed, stream))


if __name__ == "__main__":
    # FIPS 197, appendix C.1
    print(Aes128(bytes(range(16))).block(bytes.fromhex("00112233445566778899aabbccddeeff")).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a")
