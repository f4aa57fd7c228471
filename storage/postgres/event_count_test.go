package postgres_test

import (
	"testing"
	"time"

	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// Counting the hour of a busy deployment takes longer than a statement of a request may.
func TestCountingMayTakeLongerThanAStatement(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s, conn := open(t, postgres.Config{URL: url, StatementTimeout: time.Second}), connect(t, url)
	execute(t, conn, `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN NULL; END'`)
	execute(t, conn, `CREATE TRIGGER slow BEFORE INSERT ON event_counts FOR EACH STATEMENT EXECUTE FUNCTION slow()`)
	hour := noon.Truncate(time.Hour)
	if err := s.CountEvents(t.Context(), hour, hour.Add(time.Hour), hour, []string{"login_succeeded"}); err != nil {
		t.Fatal(err)
	}
	counts, err := s.ListEventCounts(t.Context(), hour)
	if err != nil || len(counts) != 1 {
		t.Errorf("counted %v, %v", counts, err)
	}
}
