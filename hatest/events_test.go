package hatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

func events() []event {
	return slices.Concat(releaseEvents(), replicaEvents(), leaderEvents(), networkEvents(), diskEvents(), asynchronousEvents(), clockEvents(), connectionEvents())
}

// replicaEvents happen to Latchkey.
func replicaEvents() []event {
	return []event{
		{name: "a Latchkey is killed", do: func(s *service) error {
			r := s.replicas[0]
			r.Kill()
			time.Sleep(5 * time.Second)
			r.serve()
			r.mustBeReady(s.m.t)
			return nil
		}},
		{name: "all Latchkeys are killed at once", do: func(s *service) error {
			for _, r := range s.replicas {
				r.Kill()
			}
			time.Sleep(3 * time.Second)
			for _, r := range s.replicas {
				r.serve()
			}
			return nil
		}},
		{name: "the Latchkeys are rolled", short: true, do: func(s *service) error { return s.roll(s.direct, "") }},
	}
}

// leaderEvents happen to the database.
func leaderEvents() []event {
	var down *node // what an event has stopped
	restart := func(*service) error { down.start(); return nil }
	return []event{
		{name: "switchover", short: true, do: func(s *service) error { return s.switchOver() }},
		{name: "the leader's Postgres crashes", do: func(s *service) error {
			s.mustHave("leader").crash()
			return nil
		}},
		{name: "the leader's machine is lost", short: true, do: func(s *service) error {
			down = s.mustHave("leader")
			down.kill()
			return nil
		}, heal: restart},
		{name: "the leader freezes, and thaws after 40 s", do: func(s *service) error {
			frozen := s.mustHave("leader")
			frozen.freeze()
			time.Sleep(40 * time.Second)
			frozen.thaw()
			return nil
		}},
		{name: "the leader freezes for 6 s", do: func(s *service) error {
			frozen := s.mustHave("leader")
			frozen.freeze()
			time.Sleep(6 * time.Second)
			frozen.thaw()
			return nil
		}},
		{name: "the standby stalls, the leader is lost", do: func(s *service) error {
			standby := s.mustHave("sync_standby")
			down = s.mustHave("leader")
			standby.freezePostgres()
			time.Sleep(8 * time.Second) // commits wait, and time out
			down.kill()
			time.Sleep(time.Second)
			standby.thaw()
			return nil
		}, heal: restart},
		{name: "both standbys are lost for 15 s", do: func(s *service) error {
			leader := s.mustHave("leader")
			var lost []*node
			for _, n := range s.nodes {
				if n != leader {
					lost = append(lost, n)
					n.kill()
				}
			}
			time.Sleep(15 * time.Second)
			for _, n := range lost {
				n.start()
			}
			return nil
		}},
		{name: "etcd stalls for 30 s", do: func(s *service) error {
			signal(family(s.etcd.PID()), syscall.SIGSTOP)
			time.Sleep(30 * time.Second)
			signal(family(s.etcd.PID()), syscall.SIGCONT)
			return nil
		}},
	}
}

// clockEvents give one Latchkey a wrong clock.
func clockEvents() (all []event) {
	for _, offset := range []string{"1s", "-1s", "5s", "-5s", "58s", "-58s", "90s", "-90s", "960h"} {
		all = append(all, event{name: "one clock is off by " + offset, do: func(s *service) error {
			if err := s.roll(s.replicas[0].Database, offset); err != nil {
				return err
			}
			time.Sleep(12 * time.Second) // longer than the server takes to compare clocks
			return nil
		}, heal: func(s *service) error { return s.roll(s.direct, "") }})
	}
	return all
}

// connectionEvents are about how Latchkey reaches the database.
func connectionEvents() []event {
	const option = "&default_query_exec_mode=cache_describe"
	back := func(s *service) error { return s.roll(s.direct, "") }
	return []event{
		{name: "rolled to PgBouncer, without the option", short: true, do: func(s *service) error { return s.roll(s.pooled, "") }},
		{name: "switchover behind PgBouncer", do: func(s *service) error { return s.switchOver() }},
		{name: "the leader's Postgres crashes, PgBouncer", do: func(s *service) error {
			s.mustHave("leader").crash()
			return nil
		}},
		{name: "rolled to PgBouncer, with the option", do: func(s *service) error { return s.roll(s.pooled+option, "") }, heal: back},
		{name: "max_connections are taken for 10 s", do: func(s *service) error { return s.takeConnections(10 * time.Second) }},
	}
}

// takeConnections takes all connections that users may have, those of Latchkey too.
func (s *service) takeConnections(d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d+time.Minute)
	defer cancel()
	leader := s.mustHave("leader")
	if err := s.execute(`DROP ROLE IF EXISTS hog`, `CREATE ROLE hog LOGIN PASSWORD 'hog-1'`); err != nil {
		return err
	}
	admin, err := pgx.Connect(ctx, databaseURL("postgres", superuserPassword, leader.postgres, "postgres"))
	if err != nil {
		return err
	}
	defer admin.Close(ctx)
	var taken []*pgx.Conn
	defer func() {
		for _, c := range taken {
			c.Close(context.Background())
		}
	}()
	end := time.Now().Add(d)
	full := false
	for time.Now().Before(end) {
		c, err := pgx.Connect(ctx, databaseURL("hog", "hog-1", leader.postgres, "postgres"))
		if err == nil {
			taken = append(taken, c)
			continue
		}
		full = true
		if _, err := admin.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'latchkey'`); err != nil {
			return err
		}
	}
	if !full {
		return errors.New("there was always another connection")
	}
	var left int
	if err := admin.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE usename = 'latchkey'`).Scan(&left); err != nil {
		return err
	}
	fmt.Printf("    %d connections taken, %d left to Latchkey\n", len(taken), left)
	return nil
}
