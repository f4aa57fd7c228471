package main

import (
	"context"
	"fmt"
	"time"

	"latchkey/storage"
	djangoblacklist "latchkey/storage/blacklist"
)

type djangoImportBlacklistCmd struct {
	Follow bool `help:"Go on with what Django ends from now on, each second, until the command is stopped."`
	databaseFlags
}

func (c *djangoImportBlacklistCmd) Help() string {
	return "Only the ids of tokens are copied, never tokens. An ended id ends that token, not the session that later tokens belong to. Run it before the proxy leads here."
}

func (c *djangoImportBlacklistCmd) Run(ctx context.Context, a *app) error {
	source, err := a.djangoBlacklist()
	if err != nil {
		return err
	}
	defer source.Close()
	if _, err := a.open(ctx); err != nil {
		return err
	}
	var b blacklist
	for {
		err := b.copy(ctx, a, source)
		switch {
		case c.Follow && ctx.Err() != nil: // it was stopped; the next one begins anew
			return nil
		case err != nil:
			return err
		}
		if !c.Follow {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	if err := a.store.FinishImport(ctx); err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]int64{"ended": b.added, "read": b.read}, fmt.Sprintf("%d ended tokens read, %d of them new", b.read, b.added))
}

// blacklist is how far Django's blacklist was read.
type blacklist struct {
	last, read, added int64
	// marks are earlier values of last. Transactions commit in another order than ids are drawn, so what was ended in the last minute is read again.
	marks []mark
}

type mark struct {
	at   time.Time
	last int64
}

// page is a page of Django's blacklist, and the id of its last row.
type page struct {
	tokens []storage.RevokedToken
	last   int64
}

// copy brings over what has been ended since; the next page is read while one is stored.
func (b *blacklist) copy(ctx context.Context, a *app, source *djangoblacklist.Blacklist) error {
	now := a.now()
	from := b.last
	for len(b.marks) > 0 && now.Sub(b.marks[0].at) > time.Minute {
		b.marks = b.marks[1:]
	}
	if len(b.marks) > 0 {
		from = b.marks[0].last
	}
	b.marks = append(b.marks, mark{now, b.last})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages, failed := make(chan page), make(chan error, 1)
	go func() {
		defer close(pages)
		failed <- readEnded(ctx, source, from, pages)
	}()
	for p := range pages {
		added, err := a.store.ImportRevokedTokens(ctx, p.tokens)
		if err != nil {
			cancel()
			<-failed
			return fmt.Errorf("store ended tokens: %w", err)
		}
		b.last, b.read, b.added = max(b.last, p.last), b.read+int64(len(p.tokens)), b.added+added
	}
	return <-failed
}

// readEnded sends pages until there are no more.
func readEnded(ctx context.Context, source *djangoblacklist.Blacklist, from int64, pages chan<- page) error {
	for {
		tokens, last, err := source.Ended(ctx, from, importBatch)
		if err != nil {
			return fmt.Errorf("%w. Its tables are those of rest_framework_simplejwt.token_blacklist; see --django-database-url", err)
		}
		if len(tokens) == 0 {
			return nil
		}
		select {
		case pages <- page{tokens, last}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if from = last; len(tokens) < importBatch {
			return nil
		}
	}
}
