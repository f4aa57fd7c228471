package config

import (
	"fmt"

	"latchkey/server/keys"
	"latchkey/server/password"
	"latchkey/storage"
)

func setRootSecret(into *storage.Secret, text string) error {
	if len(text) < keys.MinSecret {
		return &invalid{
			fmt.Sprintf("has %d bytes; at least %d are required", len(text), keys.MinSecret),
			"Make one with `openssl rand -base64 32`.",
		}
	}
	*into = storage.Secret(text)
	return nil
}

func setRetiredSecrets(into *[]storage.Secret, text string) error {
	*into = nil
	for i, one := range lines(text) {
		if len(one) < keys.MinSecret {
			return &invalid{
				fmt.Sprintf("has %[2]d bytes in secret %[1]d; at least %[3]d are required", i+1, len(one), keys.MinSecret),
				"Use the complete secrets, separated by commas (in a file: one per line).",
			}
		}
		*into = append(*into, storage.Secret(one))
	}
	return nil
}

func setArgon2(into *string, text string) error {
	cost, err := password.ParseArgon2(text)
	if err != nil {
		return &invalid{"is not a valid cost", "Write it like m=19456,t=2,p=1: KiB of memory, passes and lanes."}
	}
	*into = cost.String()
	return nil
}
