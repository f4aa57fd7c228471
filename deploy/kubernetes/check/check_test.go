// Package check decodes the manifests beside it into the types of the Kubernetes API as its server does with strict field validation:
// fields that are unknown, repeated or of a wrong type are faults. It needs no cluster and no network. It is a module of its own, since
// nothing else needs these types.
package check

import (
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// kinds are the types of the manifests; a kind that is missing here fails the test.
var kinds = map[string]func() any{
	"apps/v1 Deployment":                 func() any { return new(appsv1.Deployment) },
	"v1 Service":                         func() any { return new(corev1.Service) },
	"policy/v1 PodDisruptionBudget":      func() any { return new(policyv1.PodDisruptionBudget) },
	"networking.k8s.io/v1 NetworkPolicy": func() any { return new(networkingv1.NetworkPolicy) },
}

type kustomization struct {
	Resources []string
}

func TestManifests(t *testing.T) {
	var k kustomization
	if err := yaml.Unmarshal(read(t, "kustomization.yaml"), &k); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../*.yaml")
	if err != nil || len(files) != len(k.Resources)+1 {
		t.Errorf("%d manifests (%v), of which kustomization.yaml lists %d", len(files)-1, err, len(k.Resources))
	}
	for _, name := range k.Resources {
		var head struct{ APIVersion, Kind string }
		text := read(t, name)
		if err := yaml.Unmarshal(text, &head); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		object, known := kinds[head.APIVersion+" "+head.Kind]
		if !known {
			t.Errorf("%s: %s %s is not a kind that this test knows", name, head.APIVersion, head.Kind)
			continue
		}
		if err := yaml.UnmarshalStrict(text, object()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
