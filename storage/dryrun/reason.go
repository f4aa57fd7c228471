package dryrun

import (
	"context"
	"log/slog"
)

// Reasons is the handler of a logger that keeps nothing but the reason for which the request of a run was refused.
type Reasons struct{}

// Reason returns it, after the run; it is empty if the request was not refused.
func Reason(ctx context.Context) string { return from(ctx).reason }

// Enabled implements slog.Handler.
func (Reasons) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (Reasons) Handle(ctx context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			from(ctx).reason = a.Value.String()
		}
		return true
	})
	return nil
}

// WithAttrs implements slog.Handler.
func (r Reasons) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup implements slog.Handler.
func (r Reasons) WithGroup(string) slog.Handler { return r }
