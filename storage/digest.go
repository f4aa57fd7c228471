package storage

import "log/slog"

// Digest is a MAC or hash of something secret. It is not shown, although it is no secret by itself.
type Digest [32]byte

func (Digest) String() string       { return "[redacted]" }
func (Digest) GoString() string     { return "[redacted]" }
func (Digest) LogValue() slog.Value { return slog.StringValue("[redacted]") }
func (d Digest) IsZero() bool       { return d == Digest{} }

// MarshalJSON is String.
func (Digest) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Secret is text that must not be shown: a password, a token, a client secret.
type Secret string

func (Secret) String() string       { return "[redacted]" }
func (Secret) GoString() string     { return "[redacted]" }
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON keeps a secret out of a struct that is logged or shown as JSON. Code that means to show it calls Reveal.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }
