package storage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"latchkey/storage"
)

var millisecond = time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)

// TestNewIDIsAUUIDOfVersion7: RFC 9562 §5.7.
func TestNewIDIsAUUIDOfVersion7(t *testing.T) {
	t.Parallel()
	for range 100 {
		id := storage.NewID(millisecond.Add(999 * time.Microsecond))
		if id[6]>>4 != 7 || id[8]>>6 != 0b10 {
			t.Fatalf("%v: version %d, variant %b", id, id[6]>>4, id[8]>>6)
		}
		if !id.Time().Equal(millisecond) || id.Time().Location() != time.UTC {
			t.Fatalf("%v is of %v", id, id.Time())
		}
	}
}

func TestNewIDDrawsEachTime(t *testing.T) {
	t.Parallel()
	drawn := map[storage.ID]bool{}
	for range 10_000 {
		drawn[storage.NewID(millisecond)] = true
	}
	if len(drawn) != 10_000 {
		t.Errorf("%d different IDs", len(drawn))
	}
}

func TestNewIDFromIsDetermined(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := [10]byte(rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "bytes"))
		at := time.UnixMilli(rapid.Int64Range(0, 1<<48-1).Draw(t, "ms"))
		id := storage.NewIDFrom(at, b)
		if id != storage.NewIDFrom(at, b) {
			t.Fatal("the same time and bytes give two IDs")
		}
		if id[6]>>4 != 7 || id[8]>>6 != 0b10 || !id.Time().Equal(at) {
			t.Fatalf("%v is no UUID of version 7 of %v", id, at)
		}
		b[9]++
		if id == storage.NewIDFrom(at, b) {
			t.Fatal("other bytes give the same ID")
		}
	})
}

// TestFirstIDParts the IDs of one time from those before it.
func TestFirstIDParts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(1, 1<<48-1).Draw(t, "ms"))
		first := storage.FirstID(at)
		lowest, highest := [10]byte{}, [10]byte{}
		for i := range highest {
			highest[i] = 0xff
		}
		before, after := storage.NewIDFrom(at.Add(-time.Millisecond), highest), storage.NewIDFrom(at, lowest)
		if bytes.Compare(before[:], first[:]) >= 0 || bytes.Compare(first[:], after[:]) > 0 {
			t.Fatalf("%v, %v, %v are not in order", before, first, after)
		}
	})
}

func TestIDsSortByTimeAsTextToo(t *testing.T) {
	t.Parallel()
	earlier, later := storage.NewID(millisecond), storage.NewID(millisecond.Add(time.Millisecond))
	if earlier.String() >= later.String() {
		t.Errorf("%v is not before %v", earlier, later)
	}
}

func TestParseIDReadsWhatStringWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := storage.ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		got, err := storage.ParseID(id.String())
		if err != nil || got != id {
			t.Fatalf("%v becomes %v, %v", id, got, err)
		}
	})
}

func TestParseIDReadsNothingElse(t *testing.T) {
	t.Parallel()
	const good = "019ca945-0a7b-7d3c-bb25-48f904a2bb42"
	if _, err := storage.ParseID(good); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"", "-", strings.ToUpper(good), "{" + good + "}", "urn:uuid:" + good, strings.ReplaceAll(good, "-", ""), good + " ", " " + good,
		good[:35], good + "0", strings.Replace(good, "-", "0", 1), strings.Replace(good, "0", "g", 1), good[:35] + "\x00",
		strings.Repeat("-", 36), strings.Repeat("é", 18), good[:9] + "-" + good[10:],
	} {
		if id, err := storage.ParseID(s); !errors.Is(err, storage.ErrID) || !id.IsZero() {
			t.Errorf("%q becomes %v, %v", s, id, err)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("019ca945-0a7b-7d3c-bb25-48f904a2bb42")
	f.Add("019CA945-0a7b-7d3c-bb25-48f904a2bb42")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := storage.ParseID(s); err == nil && id.String() != s {
			t.Errorf("%q is read as %v", s, id)
		}
	})
}

func TestIDInJSON(t *testing.T) {
	t.Parallel()
	id := storage.NewID(millisecond)
	got, err := json.Marshal(map[string]storage.ID{"id": id})
	if want := `{"id":"` + id.String() + `"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestIDThroughJSON(t *testing.T) {
	t.Parallel()
	for _, id := range []storage.ID{storage.NewID(millisecond), {}} {
		b, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		var read storage.ID
		if err := json.Unmarshal(b, &read); err != nil || read != id {
			t.Errorf("%s is read as %v (%v)", b, read, err)
		}
	}
	var id storage.ID
	if err := json.Unmarshal([]byte(`"019B"`), &id); !errors.Is(err, storage.ErrID) {
		t.Errorf("error %v", err)
	}
}
