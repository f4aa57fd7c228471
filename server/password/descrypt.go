package password

import (
	"crypto/subtle"
	"math/bits"
	"strings"
)

// crypt(3)'s traditional hash: the password is the key of DES, a block of zeros is encrypted 25 times, and the salt says which bits of
// DES's expansion change places. crypto/des can't be used, since it has no salt.

// cryptAlphabet has the digits of base 64 in the order of crypt(3).
const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// matchesCrypt reports whether the first 8 bytes of the password, without their highest bits, are those of the hash.
func matchesCrypt(password string, salt, tag []byte) bool {
	if strings.IndexByte(password, 0) >= 0 { // where a C string ends; Python refuses it
		return false
	}
	return subtle.ConstantTimeCompare(descrypt(password, salt), tag) == 1
}

func descrypt(password string, salt []byte) []byte {
	var key uint64
	for i := range min(len(password), 8) {
		key |= uint64(password[i]<<1) << (56 - 8*i)
	}
	rounds := desRounds(key)
	swap := uint64(strings.IndexByte(cryptAlphabet, salt[0]) | strings.IndexByte(cryptAlphabet, salt[1])<<6)
	swap = bits.Reverse64(swap) >> 40 // the lowest bit of the salt is for the first of the 24 bits of each half
	var l, r uint32                   // the initial permutation and its inverse between two encryptions undo each other
	for range 25 {
		for _, k := range rounds {
			l, r = r, l^desRound(r, k, swap)
		}
		l, r = r, l
	}
	block := permute(uint64(l)<<32|uint64(r), 64, desFinal[:])
	tag := make([]byte, 11)
	for i := range 10 {
		tag[i] = cryptAlphabet[block>>(58-6*i)&63]
	}
	tag[10] = cryptAlphabet[block<<2&63]
	return tag
}

// desRound is the round function, with the bits of the expansion changing places that swap has.
func desRound(r uint32, key, swap uint64) uint32 {
	e := permute(uint64(r), 32, desExpansion[:])
	change := (e>>24 ^ e) & swap
	e ^= change | change<<24
	e ^= key
	var s uint64
	for i := range 8 {
		six := e >> (42 - 6*i) & 63
		row, column := six>>4&2|six&1, six>>1&15
		s = s<<4 | desBoxes[i][row]>>(60-4*column)&15
	}
	return uint32(permute(s, 32, desPermutation[:]))
}

// desRounds returns the keys of the 16 rounds.
func desRounds(key uint64) (rounds [16]uint64) {
	chosen := permute(key, 64, desChoice1[:])
	c, d := chosen>>28, chosen&(1<<28-1)
	for i := range rounds {
		for range 2 - 0x8103>>i&1 { // by one in the rounds 1, 2, 9 and 16
			c, d = c<<1&(1<<28-1)|c>>27, d<<1&(1<<28-1)|d>>27
		}
		rounds[i] = permute(c<<28|d, 56, desChoice2[:])
	}
	return rounds
}

// permute returns the bits of a word of the given size that the table names, which counts from 1 and from the left.
func permute(word uint64, size int, table []uint8) (out uint64) {
	for _, n := range table {
		out = out<<1 | word>>(size-int(n))&1
	}
	return out
}

// The tables of FIPS 46-3.
var (
	desFinal = [64]uint8{
		40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
		36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
	}
	desExpansion = [48]uint8{
		32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17,
		16, 17, 18, 19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
	}
	desPermutation = [32]uint8{
		16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
	}
	desChoice1 = [56]uint8{
		57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
		63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
	}
	desChoice2 = [48]uint8{
		14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
		41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
	}
	// desBoxes are S1 to S8 by row, each of 16 columns of four bits.
	desBoxes = [8][4]uint64{
		{0xe4d12fb83a6c5907, 0x0f74e2d1a6cb9538, 0x41e8d62bfc973a50, 0xfc8249175b3ea06d},
		{0xf18e6b34972dc05a, 0x3d47f28ec01a69b5, 0x0e7ba4d158c6932f, 0xd8a13f42b67c05e9},
		{0xa09e63f51dc7b428, 0xd709346a285ecbf1, 0xd6498f30b12c5ae7, 0x1ad069874fe3b52c},
		{0x7de3069a1285bc4f, 0xd8b56f03472c1ae9, 0xa690cb7df13e5284, 0x3f06a1d8945bc72e},
		{0x2c417ab6853fd0e9, 0xeb2c47d150fa3986, 0x421bad78f9c5630e, 0xb8c71e2d6f09a453},
		{0xc1af92680d34e75b, 0xaf427c9561de0b38, 0x9ef528c3704a1db6, 0x432c95fabe17608d},
		{0x4b2ef08d3c975a61, 0xd0b7491ae35c2f86, 0x14bdc37eaf680592, 0x6bd814a7950fe23c},
		{0xd2846fb1a93e50c7, 0x1fd8a374c56b0e92, 0x7b419ce206adf358, 0x21e74a8dfc90356b},
	}
)
