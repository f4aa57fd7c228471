package storagetest

import (
	"errors"
	"sync"
	"time"

	"latchkey/storage"
)

// rounds is how often each race is run.
const rounds = 20

func grantsRace() cases {
	all := cases{}
	for name, end := range ends() {
		all["no advance succeeds once a grant "+name] = func(b *bundle) {
			for range rounds {
				b.now = b.now.Add(time.Minute)
				b.raceAdvances(end)
			}
		}
	}
	return all
}

// raceAdvances lets several callers advance one grant while it ends. No advance that begins after the end was acknowledged
// succeeds, and the grant is dead. When the end is in the grant itself, what was current then stays current; an
// advance that began before its user or client changed may still be written: it moves what is dead.
func (b *bundle) raceAdvances(end end) {
	b.Helper()
	g := b.session()
	began := make(chan struct{})
	ended := make(chan struct{})
	var once sync.Once
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				late := false
				select {
				case <-ended:
					late = true
				default:
				}
				err := b.advanceOnce(g.ID)
				once.Do(func() { close(began) })
				switch {
				case late && err == nil:
					b.Error("an advance succeeded after the end")
					return
				case late && errors.Is(err, storage.ErrConflict):
					return
				case err != nil && !errors.Is(err, storage.ErrConflict):
					b.Error(err)
					return
				}
			}
		})
	}
	<-began
	end(b, g)
	atEnd := b.live(g.ID)
	close(ended)
	callers.Wait()
	after := b.live(g.ID)
	if !atEnd.RevokedAt.IsZero() {
		b.same(after, atEnd)
	}
	b.dead(&after.Grant)
	b.cleanup(g)
}

// advanceOnce advances a grant from what it reads as current.
func (b *bundle) advanceOnce(id storage.ID) error {
	g, err := b.Grant(b.ctx, id)
	if err != nil {
		return err
	}
	return b.advance(storage.GrantMove{
		ID: id, From: g.Current, To: next(g.Current), Generation: g.Generation + 1,
	}, nil)
}

// cleanup removes the user of a grant, so that the next round can give the name again.
func (b *bundle) cleanup(g *storage.Grant) {
	b.Helper()
	if err := b.RemoveUser(b.ctx, g.UserID, nil); err != nil && !errors.Is(err, storage.ErrNotFound) {
		b.Fatal(err)
	}
}
