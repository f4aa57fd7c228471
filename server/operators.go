package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"latchkey/clients/registry"
	"latchkey/server/admin"
	"latchkey/server/console"
	"latchkey/server/grants"
	"latchkey/server/mail"
	"latchkey/server/operator"
	"latchkey/server/password"
	"latchkey/server/replica"
	"latchkey/server/route"
	"latchkey/server/scim"
	"latchkey/server/selfhelp"
	"latchkey/server/users"
	"latchkey/server/web/panel"
	"latchkey/storage"
	"latchkey/storage/dryrun"
)

// operatorAPI returns the API for operators.
func (s *Server) operatorAPI(argon2 password.Argon2) *admin.API {
	dry := dryrun.Changes{Store: s.cfg.Store}
	var letters admin.Letters
	if s.SendsLetters() {
		letters = s.proof
	}
	var invitations admin.Invitations
	if s.proof != nil {
		invitations = s.proof
	}
	return admin.New(admin.Config{
		Invitations: invitations, SignUp: s.signUp() != selfhelp.SignUpOff,
		Issuer: s.cfg.Issuer, Store: s.cfg.Store, Tokens: s.tokens, Proofs: s.proofs, Users: s.users, Clients: s.registry, Keys: s.keys,
		DryClients: registry.New(registry.Config{
			Store: dry, MACKeys: s.cfg.Root.Derive("client secrets"), Now: s.cfg.Now, Size: 1, Schemes: s.cfg.RedirectSchemes, Scopes: s.cfg.Claims.Scopes(),
		}),
		Grants: s.operatorGrants(), Webhooks: s.webhooks, Factors: s.factors, Letters: letters, DryUsers: s.dryUsers(argon2),
		Group: s.cfg.AdminGroup, Stopping: s.stopping, CursorKeys: s.cfg.Root.Derive("admin cursors"),
		IdempotencyKey: s.cfg.Root.Derive("admin idempotency keys")[0], Now: s.cfg.Now, Public: s.cfg.AdminAPI == AdminAPIPublic,
		Router: s.operatorRouter(),
	})
}

// provisioning returns SCIM.
func (s *Server) provisioning() *scim.API {
	return scim.New(scim.Config{
		Issuer: s.cfg.Issuer, Store: s.cfg.Store, Clients: s.auth, Users: s.users, Audit: s.audit, Now: s.cfg.Now,
		Gate:   operator.Gate{Issuer: s.cfg.Issuer, Tokens: s.tokens, Proofs: s.proofs, Group: s.cfg.AdminGroup, Factors: s.factors},
		Public: s.cfg.AdminAPI == AdminAPIPublic, Router: s.operatorRouter(),
	})
}

// dryUsers returns the service that checks changes of users and makes none.
func (s *Server) dryUsers(argon2 password.Argon2) *users.Service {
	return users.New(users.Config{
		Store: dryrun.Changes{Store: s.cfg.Store}, Argon2: argon2, Now: s.cfg.Now, Directory: s.cfg.Directory, AccountURL: s.cfg.AccountURL,
		Names: s.cfg.LoginNames,
	})
}

// routerConfig is what all routers have in common.
func (s *Server) routerConfig() route.Config {
	return route.Config{
		Logger: s.cfg.Logger, Metrics: s.metrics, Now: s.cfg.Now, Tracer: s.tracer, TrustedProxies: s.cfg.TrustedProxies,
		Available: s.available, HSTS: s.issuer.Scheme == "https",
	}
}

// operatorRouter is the configuration of the routes for operators.
func (s *Server) operatorRouter() route.Config {
	cfg := s.routerConfig()
	cfg.HSTS = cfg.HSTS && s.cfg.AdminAPI == AdminAPIPublic
	return cfg
}

// operatorGrants returns the service that ends sessions in an operator's name.
func (s *Server) operatorGrants() *grants.Service {
	return &grants.Service{
		Store: s.cfg.Store, Users: s.users, Now: s.cfg.Now,
		Changed: func(id string) { s.registry.Changed(storage.Change{Kind: storage.ChangeClient, ID: id}) },
	}
}

// health returns what the console shows of this server.
func (s *Server) health(ctx context.Context) []panel.Fact {
	state := panel.Key("console.ready", panel.Good)
	if reason := s.ready.check(ctx, s.ask); reason != "" {
		state = panel.Text(reason)
		state.Tone = panel.Bad
	}
	facts := []panel.Fact{{Name: "console.reachable", Value: state}, {Name: "console.issuer", Value: panel.Code(s.cfg.Issuer)}}
	if s.mailer == nil {
		return append(facts, panel.Fact{Name: "console.mail", Value: panel.Key("console.mail_off", panel.Plain)})
	}
	return append(append(facts, s.waitingLetters(ctx)...), s.undeliveredLetters(ctx)...)
}

// undeliveredLetters leads to the letters that could not be delivered, if there are any.
func (s *Server) undeliveredLetters(ctx context.Context) []panel.Fact {
	n, err := s.mailer.CountUndelivered(ctx)
	if err != nil || n == 0 { // the readiness says so
		return nil
	}
	return []panel.Fact{{Name: "console.undelivered", Value: panel.Link(strconv.Itoa(n), console.LettersPath)}}
}

// replicas returns the servers on this database.
func (s *Server) replicas(ctx context.Context) ([]replica.View, error) {
	return replica.List(ctx, s.cfg.Store, s.cfg.Now().Add(-time.Duration(s.clock.difference.Load())))
}

// lateLetter is how long a letter waits where the mail server works: longer than the first attempts.
const lateLetter = 2 * time.Minute

// waitingLetters returns how many letters are still to be sent, and since when.
func (s *Server) waitingLetters(ctx context.Context) []panel.Fact {
	n, since, err := s.cfg.Store.WaitingOutboxMessages(ctx, mail.Kind)
	if err != nil { // the readiness says so
		return nil
	}
	waiting := panel.Text(strconv.Itoa(n))
	if n == 0 {
		return []panel.Fact{{Name: "console.mail", Value: waiting}}
	}
	oldest := panel.At(since)
	if s.cfg.Now().Sub(since) > lateLetter {
		waiting.Tone = panel.Warn
	}
	return []panel.Fact{{Name: "console.mail", Value: waiting}, {Name: "console.mail_since", Value: oldest}}
}

// withOperatorAPI serves the API for operators and SCIM beside other routes, if they are to be on that side.
func (s *Server) withOperatorAPI(side string, next http.Handler) http.Handler {
	if s.cfg.AdminAPI != side {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, admin.Prefix+"/"):
			s.operators.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, scim.Prefix+"/"):
			s.scim.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
