// Command plant writes to the database of a server what can't be had from it within a test.
//
//	plant client DATABASE CLIENT_ID < members.json
//	plant month DATABASE
//
// The first writes metadata of a client past every check, as an older release, a bug or a restored backup might have: the pages must survive
// what validation would have refused. The second writes what happened within a month, and counts it.
package main

import (
	"context"
	"fmt"
	"os"

	"latchkey/storage/sqlite"
)

func main() {
	if err := plant(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plant:", err)
		os.Exit(1)
	}
}

func plant(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("expected client or month, and a database")
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: args[1]})
	if err != nil {
		return err
	}
	defer store.Close()
	switch {
	case args[0] == "client" && len(args) == 3:
		return plantClient(ctx, store, args[2])
	case args[0] == "month" && len(args) == 2:
		return plantMonth(ctx, store)
	}
	return fmt.Errorf("%v is not a call of this command", args)
}
