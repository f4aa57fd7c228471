package users

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"latchkey/server/password"
	"latchkey/storage"
)

const (
	sampleEvery = time.Minute
	samplePages = 4
	samplePage  = 500
	// measurements are so many because the machine may be busy at the start.
	measurements = 3
	// maxFloor bounds how long a failure is held back. A hash that takes more than half of it shows in the time if users' hashes differ.
	maxFloor = time.Second
)

// decoys samples the costs of the stored password hashes, so that an unknown name takes as long as a known one.
//
// Each unknown name has one cost for as long as the shares stay, and when a share shrinks, since users log in and get
// a new hash, names leave it one by one, just as users do. So the time that a name takes shows what share of the users
// takes that time, which reveals nothing about the name.
type decoys struct {
	store     Store
	directory Directory
	hasher    *password.Hasher
	preferred password.Cost
	// unseen receives costs of logins that are not in the sample.
	unseen chan password.Cost

	mu     sync.RWMutex
	shares map[password.Cost]float64
	took   map[password.Cost]time.Duration
	floor  time.Duration
	cursor int64 // the last user ID that was read
}

func (d *decoys) init(store Store, directory Directory, hasher *password.Hasher) {
	d.store, d.directory, d.hasher, d.preferred = store, directory, hasher, hasher.Preferred()
	d.unseen = make(chan password.Cost, 1)
	d.shares = make(map[password.Cost]float64)
	d.took = make(map[password.Cost]time.Duration)
}

// pick returns the cost for an unknown name, given its MAC, by weighted rendezvous hashing over the shares.
func (d *decoys) pick(name storage.Digest) password.Cost {
	d.mu.RLock()
	defer d.mu.RUnlock()
	best, top := d.preferred, 0.0
	for cost, share := range d.shares {
		sum := sha256.Sum256(fmt.Append(name[:], cost))
		uniform := (float64(binary.BigEndian.Uint64(sum[:])>>11) + .5) / (1 << 53)
		if score := share / -math.Log(uniform); score > top {
			best, top = cost, score
		}
	}
	return best
}

// met queues the cost of a known user's hash for measuring if it is not in the sample.
func (d *decoys) met(cost password.Cost) {
	d.mu.RLock()
	_, known := d.shares[cost]
	d.mu.RUnlock()
	if known {
		return
	}
	select {
	case d.unseen <- cost:
	default: // another one is queued; this one will be met again
	}
}

// wait returns when a multiple of the floor has passed since started, or when ctx ends.
func (d *decoys) wait(ctx context.Context, started time.Time) {
	d.mu.RLock()
	floor := d.floor
	d.mu.RUnlock()
	if floor == 0 {
		return
	}
	timer := time.NewTimer(floor - time.Since(started)%floor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// run keeps the shares, the times and the floor up to date until ctx ends, and returns ctx's error then.
func (d *decoys) run(ctx context.Context) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	pause := time.NewTicker(time.Second)
	defer pause.Stop()
	d.sample(ctx)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			d.sample(ctx)
		case cost := <-d.unseen:
			d.add(map[password.Cost]float64{cost: 1}, 1)
			d.measure(ctx)
			select { // attackers choose how often
			case <-pause.C:
			case <-ctx.Done():
			}
		}
	}
}

// sample reads some users, continuing where it stopped, and halves the weight of the earlier samples. If the database is
// unavailable it changes nothing; other callers report that.
func (d *decoys) sample(ctx context.Context) {
	hashes, err := d.hashes(ctx)
	if err != nil {
		return
	}
	counted := make(map[password.Cost]float64)
	for _, hash := range hashes {
		if cost, ok := password.CostOf(hash); ok {
			counted[cost]++
		}
	}
	d.add(counted, .5)
	d.measure(ctx)
}

// hashes returns the password hashes of the next users.
func (d *decoys) hashes(ctx context.Context) (list []string, err error) {
	if d.directory != nil { // most of its users have never been here
		return d.directory.SampleHashes(ctx, samplePage)
	}
	for range samplePages {
		page, err := d.store.ListUsers(ctx, d.cursor, samplePage)
		if err != nil {
			return nil, err
		}
		for _, u := range page {
			list, d.cursor = append(list, u.PasswordHash), u.ID
		}
		if len(page) < samplePage {
			d.cursor = 0
			break
		}
	}
	return list, nil
}

func (d *decoys) add(counted map[password.Cost]float64, keep float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for cost, share := range d.shares {
		if d.shares[cost] = share * keep; d.shares[cost] < .01 {
			delete(d.shares, cost)
		}
	}
	for cost, n := range counted {
		d.shares[cost] += n
	}
}

// measure computes each cost a few times in the life of the process, of which the quickest counts, and sets the floor: twice the time of
// the most expensive, or a quarter above it while all cost the same. A user is a row to read, which takes 20 to 30 µs more than none: enough
// to be seen in some thousand tries if nothing hid it.
func (d *decoys) measure(ctx context.Context) {
	d.mu.RLock()
	var missing []password.Cost
	for cost := range d.shares {
		if d.took[cost] == 0 {
			missing = append(missing, cost)
		}
	}
	d.mu.RUnlock()
	took := make(map[password.Cost]time.Duration)
	for _, cost := range missing {
		for range measurements {
			if t, err := d.hasher.Measure(ctx, cost); err == nil && (took[cost] == 0 || t < took[cost]) { // else the pool is busy: next time
				took[cost] = t
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for cost, t := range took {
		d.took[cost] = t
	}
	d.floor = 0
	for cost := range d.shares {
		d.floor = max(d.floor, d.took[cost])
	}
	if len(d.shares) > 1 {
		d.floor *= 2
	} else {
		d.floor += d.floor / 4
	}
	d.floor = min(d.floor, maxFloor)
}
