// Command kubernetes answers with the user that kube-apiserver's own authenticator sees in an ID token. Its flags are those of
// kube-apiserver; --listen is the address at which tokens are posted.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"
	"os"

	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

func main() {
	var (
		listen   = flag.String("listen", "", "")
		issuer   = flag.String("oidc-issuer-url", "", "")
		client   = flag.String("oidc-client-id", "", "")
		username = flag.String("oidc-username-claim", "sub", "")
		groups   = flag.String("oidc-groups-claim", "", "")
		caFile   = flag.String("oidc-ca-file", "", "")
	)
	flag.Parse()
	ca, err := os.ReadFile(*caFile)
	if err != nil {
		log.Fatal(err)
	}
	prefix := ""
	authenticator, err := oidc.New(context.Background(), oidc.Options{
		JWTAuthenticator: apiserver.JWTAuthenticator{
			Issuer: apiserver.Issuer{URL: *issuer, Audiences: []string{*client}, CertificateAuthority: string(ca)},
			ClaimMappings: apiserver.ClaimMappings{
				Username: apiserver.PrefixedClaimOrExpression{Claim: *username, Prefix: &prefix},
				Groups:   apiserver.PrefixedClaimOrExpression{Claim: *groups, Prefix: &prefix},
			},
		},
		CAContentProvider: content(ca),
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The issuer is looked at in the background.
		if err := authenticator.HealthCheck(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		token, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, ok, err := authenticator.AuthenticateToken(r.Context(), string(token))
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusUnauthorized)
		case !ok:
			http.Error(w, "the token is from another issuer", http.StatusUnauthorized)
		default:
			json.NewEncoder(w).Encode(map[string]any{"name": answer.User.GetName(), "groups": answer.User.GetGroups()})
		}
	})))
}

type content []byte

func (c content) CurrentCABundleContent() []byte { return c }
