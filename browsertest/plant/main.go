// Command plant writes metadata of a client past every check, as an older release, a bug or a restored backup might have: the
// pages must survive what validation would have refused.
//
//	plant DATABASE CLIENT_ID < members.json
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"time"

	"latchkey/storage/sqlite"
)

func main() {
	if err := plant(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "plant:", err)
		os.Exit(1)
	}
}

func plant(ctx context.Context, database, clientID string) error {
	var members map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&members); err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: database})
	if err != nil {
		return err
	}
	defer store.Close()
	client, err := store.Client(ctx, clientID)
	if err != nil {
		return err
	}
	var metadata map[string]any
	if err := json.Unmarshal(client.Metadata, &metadata); err != nil {
		return err
	}
	maps.Copy(metadata, members)
	if client.Metadata, err = json.Marshal(metadata); err != nil {
		return err
	}
	client.UpdatedAt = time.Now().UTC().Truncate(time.Microsecond)
	return store.UpdateClient(ctx, client, nil)
}
