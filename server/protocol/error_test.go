package protocol_test

import (
	"testing"

	"latchkey/server/protocol"
)

func TestDescribable(t *testing.T) {
	t.Parallel()
	if got, want := protocol.Describable("a \"b\" \\ é\n~"), "a 'b' / ??~"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
