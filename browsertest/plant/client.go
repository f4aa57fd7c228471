package main

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"time"

	"latchkey/storage"
)

// plantClient adds the members of the JSON object on standard input to a client's metadata.
func plantClient(ctx context.Context, store storage.Store, id string) error {
	var members map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&members); err != nil {
		return err
	}
	client, err := store.Client(ctx, id)
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
