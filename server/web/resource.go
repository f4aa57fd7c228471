package web

import (
	"context"

	"latchkey/storage"
)

// ResourceInfo is a protected resource.
type ResourceInfo struct {
	Identifier string
	Name       string
}

// ResourceInfos returns the resources that were asked for, in their order, with the names that the operator gave them; an empty one for a
// resource that is not registered.
func ResourceInfos(ctx context.Context, registered func(context.Context) ([]*storage.Resource, error), asked []string) ([]ResourceInfo, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	all, err := registered(ctx)
	infos := make([]ResourceInfo, len(asked))
	for i, identifier := range asked {
		infos[i].Identifier = identifier
		for _, r := range all {
			if r.Identifier == identifier {
				infos[i].Name = r.Name
			}
		}
	}
	return infos, err
}
