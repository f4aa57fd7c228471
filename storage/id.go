package storage

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// ID is a UUID (RFC 9562) of version 7: sortable by time, to the millisecond.
type ID [16]byte

// NewID draws an ID for the time now.
func NewID(now time.Time) ID {
	var id ID
	rand.Read(id[6:])
	return stamp(id, now)
}

// NewIDFrom makes an ID of the time now out of the given bytes instead of random ones.
// The same time and bytes give the same ID.
func NewIDFrom(now time.Time, b [10]byte) ID {
	var id ID
	copy(id[6:], b[:])
	return stamp(id, now)
}

// FirstID is the lowest ID of the time t: the bound between earlier and later ones.
func FirstID(t time.Time) ID {
	id := stamp(ID{}, t)
	id[6], id[8] = 0, 0
	return id
}

func stamp(id ID, t time.Time) ID {
	ms := uint64(t.UnixMilli())
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], ms)
	copy(id[:6], b[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Time is the millisecond that the ID was made for.
func (id ID) Time() time.Time {
	var b [8]byte
	copy(b[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:]))).UTC()
}

// String is the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in lower case.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:], id[10:])
	return string(b[:])
}

func (id ID) IsZero() bool { return id == ID{} }

// MarshalText is String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// ErrID is the error of ParseID for anything but a UUID in its canonical form.
var ErrID = errors.New("not a UUID")

// ParseID parses the output of String, and nothing else.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, ErrID
	}
	hexed := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(hexed)); err != nil || id.String() != s {
		return ID{}, ErrID
	}
	return id, nil
}
