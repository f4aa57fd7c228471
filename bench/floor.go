package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5/pgxpool"

	"latchkey/latchkeytest"
)

// A floor is a request that a server can hardly do with less, behind the same stack: net/http, gorilla/mux and pgx.
const (
	floorWrite  = "/write"  // one durable statement that marks a row and inserts another
	floorRead   = "/read"   // one row read by its primary key
	floorStatic = "/static" // no database
)

// floorCommand is the argument by which this program starts itself as the floor.
const floorCommand = "floor"

// floorSchema has as many sessions as there are virtual users.
const floorSchema = `
	CREATE TABLE floor_sessions (id text PRIMARY KEY, state bytea NOT NULL, used_at timestamptz NOT NULL) WITH (fillfactor = 70);
	CREATE TABLE floor_events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, session text NOT NULL, at timestamptz NOT NULL);`

// serveFloor serves the floors until its process ends.
func serveFloor(ctx context.Context, address, database string) error {
	pool, err := pgxpool.New(ctx, database)
	if err != nil {
		return err
	}
	body := make([]byte, 600)
	for i := range body {
		body[i] = ' '
	}
	copy(body, `{"ok":true`)
	body[len(body)-1] = '}'
	answer := func(w http.ResponseWriter, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	}
	r := mux.NewRouter()
	r.HandleFunc(floorStatic, func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) }).Methods(http.MethodGet)
	r.HandleFunc(floorRead, func(w http.ResponseWriter, r *http.Request) {
		var state []byte
		answer(w, pool.QueryRow(r.Context(), `SELECT state FROM floor_sessions WHERE id = $1`, r.PostFormValue("token")).Scan(&state))
	}).Methods(http.MethodPost)
	r.HandleFunc(floorWrite, func(w http.ResponseWriter, r *http.Request) {
		var id int64
		answer(w, pool.QueryRow(r.Context(), `
			WITH marked AS (UPDATE floor_sessions SET used_at = now() WHERE id = $1 RETURNING id)
			INSERT INTO floor_events (session, at) SELECT id, now() FROM marked RETURNING id`, r.PostFormValue("token")).Scan(&id))
	}).Methods(http.MethodPost)
	return (&http.Server{Addr: address, Handler: r, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}

// startFloor starts the floor on the database and returns its target.
func startFloor(ctx context.Context, folder string, db *database, s settings) (*target, error) {
	if _, err := db.conn.Exec(ctx, floorSchema); err != nil {
		return nil, err
	}
	if _, err := db.conn.Exec(ctx, `
		INSERT INTO floor_sessions SELECT 'user' || n, decode(repeat('00', 64), 'hex'), now() FROM generate_series(0, $1) AS n`,
		s.concurrency); err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// An instance is asked for its free port only.
	i, err := latchkeytest.NewInstance(latchkeytest.Config{Binary: program, Folder: folder})
	if err != nil {
		return nil, err
	}
	p, err := latchkeytest.StartProcess(exec.CommandContext(ctx, program, floorCommand, i.Listen, db.url), filepath.Join(folder, "floor.log"))
	if err != nil {
		return nil, err
	}
	t := &target{name: "floor", base: "http://" + i.Listen, pid: p.PID(), db: db, stop: p.Kill, visitors: map[string][]*visitor{}}
	for range 500 {
		res, err := http.Get(t.base + floorStatic)
		if err == nil {
			res.Body.Close()
			return t, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.Kill()
	return nil, fmt.Errorf("the floor did not start: %s", p.Log())
}

// floorRequest sends the request of a floor.
func floorRequest(path string) func(*visitor, context.Context) error {
	return func(v *visitor, ctx context.Context) error {
		if path == floorStatic {
			return v.get(ctx, path, "")
		}
		c := latchkeytest.Client{ID: "a-client-of-the-floor", Secret: "a-secret-that-nothing-looks-at"}
		_, err := v.form(ctx, path, c, url.Values{"token": {v.name}, "grant_type": {"refresh_token"}})
		return err
	}
}
