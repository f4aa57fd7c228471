package postgres

import (
	"maps"
	"slices"
	"sync"
	"time"

	"latchkey/storage"
)

// The ID of a grant names its partition. A statement that names it too has one table to plan for, so that Postgres keeps the plan:
// for the partitioned table it would make a new one each time, which takes longer than everything else.

// anyGrants is the partitioned table; it is right for every ID.
const anyGrants = "grants"

const weekly = "grants_2006_01_02"

// weekOf returns the first day of the week of a time.
func weekOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
}

// partitions are the weekly partitions that are known to exist.
type partitions struct {
	mu    sync.RWMutex
	weeks map[int64]string // by the Unix time of the first day
}

// set replaces what is known.
func (p *partitions) set(names []string) {
	weeks := map[int64]string{}
	for _, name := range names {
		if week, err := time.Parse(weekly, name); err == nil {
			weeks[week.Unix()] = name
		}
	}
	p.mu.Lock()
	p.weeks = weeks
	p.mu.Unlock()
}

// add notes that a partition exists.
func (p *partitions) add(name string) {
	p.mu.RLock()
	names := append(slices.Collect(maps.Values(p.weeks)), name)
	p.mu.RUnlock()
	p.set(names)
}

// forget makes statements use the partitioned table instead of these.
func (p *partitions) forget(names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.weeks, func(_ int64, name string) bool { return slices.Contains(names, name) })
}

// of returns the table to look into for a grant.
func (p *partitions) of(id storage.ID) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if name, ok := p.weeks[weekOf(id.Time()).Unix()]; ok {
		return name
	}
	return anyGrants
}
