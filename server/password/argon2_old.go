package password

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"golang.org/x/crypto/blake2b"
)

// x/crypto has Argon2i and Argon2id of version 0x13. Django verifies Argon2d as well, and version 0x10, which argon2-cffi wrote until 2016: a hash without v=. This is
// all of them by RFC 9106, to verify, slower than x/crypto: no new hash is made with it.

// The values of type y and version v (RFC 9106 §3.1); 0x10 is from before the RFC.
const (
	typeD, typeI, typeID     = 0, 1, 2
	version0x10, version0x13 = 0x10, 0x13
	segments, blockWords     = 4, 128
)

type block [blockWords]uint64

// matrix is the memory of a computation: lanes of 4 segments.
type matrix struct {
	blocks                          []block
	kind, version                   int
	passes, lanes, columns, segment int
}

// oldArgon2 returns the tag of a password. memory is in KiB.
func oldArgon2(kind, version int, password, salt []byte, memory, passes, lanes, length int) []byte {
	var in []byte
	number := func(n int) { in = binary.LittleEndian.AppendUint32(in, uint32(n)) }
	for _, n := range []int{lanes, length, memory, passes, version, kind} {
		number(n)
	}
	for _, field := range [][]byte{password, salt, nil, nil} { // no secret, no associated data
		number(len(field))
		in = append(in, field...)
	}
	h0 := blake2b.Sum512(in)
	segment := memory / (segments * lanes)
	m := &matrix{kind: kind, version: version, passes: passes, lanes: lanes, columns: segments * segment, segment: segment}
	m.blocks = make([]block, lanes*m.columns)
	for lane := range lanes {
		for column := range 2 {
			in = binary.LittleEndian.AppendUint32(append(in[:0], h0[:]...), uint32(column))
			number(lane)
			m.at(lane, column).read(variableHash(in, 8*blockWords))
		}
	}
	for pass := range passes {
		for slice := range segments {
			for lane := range lanes {
				m.fill(pass, slice, lane)
			}
		}
	}
	last := *m.at(0, m.columns-1)
	for lane := 1; lane < lanes; lane++ {
		last.xor(m.at(lane, m.columns-1))
	}
	var b []byte
	for _, word := range last {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return variableHash(b, length)
}

func (m *matrix) at(lane, column int) *block { return &m.blocks[lane*m.columns+column] }

// fill computes a segment (§3.4).
func (m *matrix) fill(pass, slice, lane int) {
	independent := m.kind == typeI || m.kind == typeID && pass == 0 && slice < segments/2
	var input, random block
	input = block{uint64(pass), uint64(lane), uint64(slice), uint64(len(m.blocks)), uint64(m.passes), uint64(m.kind)}
	for i := range m.segment {
		if independent && i%blockWords == 0 {
			var zero block
			input[6]++
			random.compress(&zero, &input)
			next := random
			random.compress(&zero, &next)
		}
		if pass == 0 && slice == 0 && i < 2 {
			continue
		}
		column := slice*m.segment + i
		before := m.at(lane, (column+m.columns-1)%m.columns)
		j := before[0]
		if independent {
			j = random[i%blockWords]
		}
		var next block
		next.compress(before, m.reference(j, pass, slice, lane, i))
		if target := m.at(lane, column); pass > 0 && m.version == version0x13 { // version 0x10 overwrites
			target.xor(&next)
		} else {
			*target = next
		}
	}
}

// reference returns the block that the pseudo-random value j chooses (§3.4.2).
func (m *matrix) reference(j uint64, pass, slice, lane, i int) *block {
	other := int(j >> 32 % uint64(m.lanes))
	if pass == 0 && slice == 0 {
		other = lane
	}
	first, area := 0, slice*m.segment // the segments that are complete in this pass
	if pass > 0 {
		first, area = (slice+1)%segments*m.segment, m.columns-m.segment
	}
	switch {
	case other == lane:
		area += i - 1
	case i == 0:
		area--
	}
	x := j & (1<<32 - 1)
	x = x * x >> 32
	z := area - 1 - int(uint64(area)*x>>32)
	return m.at(other, (first+z)%m.columns)
}

func (b *block) xor(o *block) {
	for i := range b {
		b[i] ^= o[i]
	}
}

func (b *block) read(p []byte) {
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
}

// compress is the function G (§3.5).
func (b *block) compress(x, y *block) {
	for i := range b {
		b[i] = x[i] ^ y[i]
	}
	r := *b
	for i := 0; i < blockWords; i += 16 {
		b.permute(i, 2)
	}
	for i := 0; i < 16; i += 2 {
		b.permute(i, 16)
	}
	b.xor(&r)
}

// permute is the permutation P (§3.6) of 8 pairs of words: the first is at i, and the others follow at distances of step.
func (b *block) permute(i, step int) {
	at := func(n int) int { return i + n/2*step + n%2 }
	for n := range 4 {
		b.mix(at(n), at(n+4), at(n+8), at(n+12))
	}
	for n := range 4 {
		b.mix(at(n), at((n+1)%4+4), at((n+2)%4+8), at((n+3)%4+12))
	}
}

func (b *block) mix(i, j, k, l int) {
	x, y, z, w := b[i], b[j], b[k], b[l]
	for _, turn := range [2][2]int{{32, 24}, {16, 63}} {
		x += y + 2*(x&0xffffffff)*(y&0xffffffff)
		w = bits.RotateLeft64(w^x, -turn[0])
		z += w + 2*(z&0xffffffff)*(w&0xffffffff)
		y = bits.RotateLeft64(y^z, -turn[1])
	}
	b[i], b[j], b[k], b[l] = x, y, z, w
}

// variableHash is H' (§3.3), of a block or of a tag of at most 64 bytes.
func variableHash(in []byte, length int) []byte {
	in = append(binary.LittleEndian.AppendUint32(nil, uint32(length)), in...)
	if length <= blake2b.Size {
		h, err := blake2b.New(length, nil)
		if err != nil {
			panic("a tag of " + strconv.Itoa(length) + " bytes: " + err.Error()) // splitPHC allows 16 to 64
		}
		h.Write(in)
		return h.Sum(nil)
	}
	v := blake2b.Sum512(in)
	out := append([]byte(nil), v[:blake2b.Size/2]...)
	for length-len(out) > blake2b.Size {
		v = blake2b.Sum512(v[:])
		out = append(out, v[:blake2b.Size/2]...)
	}
	v = blake2b.Sum512(v[:])
	return append(out, v[:]...)
}
