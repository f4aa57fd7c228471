package web

import "latchkey/storage"

// ResourceInfo is a protected resource.
type ResourceInfo struct {
	Identifier string
	Name       string
}

// ResourceInfos returns the resources that were asked for, in their order, with the names that the operator gave them; an empty one for a
// resource that is not among all.
func ResourceInfos(asked []string, all []*storage.Resource) []ResourceInfo {
	names := make(map[string]string, len(all))
	for _, r := range all {
		names[r.Identifier] = r.Name
	}
	infos := make([]ResourceInfo, len(asked))
	for i, identifier := range asked {
		infos[i] = ResourceInfo{identifier, names[identifier]}
	}
	return infos
}
