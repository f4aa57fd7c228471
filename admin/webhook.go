package admin

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Webhook is a target to which events are delivered, signed as Standard Webhooks says.
type Webhook struct {
	ID string `json:"id" format:"uuid"`
	// Secret is only in the answer that makes it.
	Secret         string    `json:"secret,omitempty" doc:"The secret that signs deliveries; only in the answer that makes it."`
	URL            string    `json:"url" doc:"Where deliveries are sent."`
	Name           string    `json:"name" doc:"For operators."`
	Types          []string  `json:"types" nullable:"false" doc:"The types of events that are delivered; all if there is none."`
	Enabled        bool      `json:"enabled" doc:"Whether events are delivered."`
	DisabledAt     time.Time `json:"disabled_at,omitzero"`
	DisabledReason string    `json:"disabled_reason,omitempty" doc:"Why it is disabled: operator, or gone if the target has answered 410."`
	// OldSecretExpiresAt is when the secret before the present one ends; zero if there is none.
	OldSecretExpiresAt time.Time         `json:"old_secret_expires_at,omitzero" doc:"Until when deliveries are signed with the secret before the present one too."`
	CreatedAt          time.Time         `json:"created_at"`
	UpdatedAt          time.Time         `json:"updated_at"`
	Deliveries         WebhookDeliveries `json:"deliveries"`
}

// WebhookDeliveries is how the deliveries to a target go.
type WebhookDeliveries struct {
	Waiting       int       `json:"waiting" doc:"How many have yet to be made."`
	Abandoned     int64     `json:"abandoned" doc:"How many were abandoned."`
	LastAttemptAt time.Time `json:"last_attempt_at,omitzero"`
	LastSuccessAt time.Time `json:"last_success_at,omitzero"`
	LastStatus    int       `json:"last_status,omitempty" doc:"The status of the last answer; absent if there was none."`
	LastError     string    `json:"last_error,omitempty" doc:"Why the last delivery was not taken; absent if it was."`
	FailingSince  time.Time `json:"failing_since,omitzero" doc:"When the first attempt after the last success failed."`
}

// NewWebhook is a target to be added.
type NewWebhook struct {
	URL   string   `json:"url" minLength:"1" maxLength:"2048" doc:"An https URL without user information. Private networks are refused unless --outbound-allow has them."`
	Name  string   `json:"name,omitempty" maxLength:"255" pattern:"^[^\\x00-\\x1f\\x7f]*$" patternDescription:"text without control characters" doc:"For operators."`
	Types []string `json:"types,omitempty" nullable:"false" maxItems:"20" enum:"login,login.refused,session.ended,reuse.detected,client.registered,user.changed" doc:"The types of events that are delivered; by default all."`
}

// WebhookChange is what changes of a target. What is nil stays as it is.
type WebhookChange struct {
	URL     *string   `json:"url,omitempty" minLength:"1" maxLength:"2048"`
	Name    *string   `json:"name,omitempty" maxLength:"255" pattern:"^[^\\x00-\\x1f\\x7f]*$" patternDescription:"text without control characters"`
	Types   *[]string `json:"types,omitempty" nullable:"false" maxItems:"20" enum:"login,login.refused,session.ended,reuse.detected,client.registered,user.changed" doc:"In place of those that there are; an empty list is all."`
	Enabled *bool     `json:"enabled,omitempty" doc:"A target that is enabled again gets what happens from then on, and what was waiting for it."`
}

// WebhookTest is the outcome of a delivery that was made to try a target.
type WebhookTest struct {
	ID           string `json:"id" format:"uuid" doc:"The webhook-id of the delivery."`
	Delivered    bool   `json:"delivered" doc:"Whether the target has taken it: whether it has answered 2xx."`
	Status       int    `json:"status,omitempty" doc:"The status of the answer; absent if there was none."`
	Error        string `json:"error,omitempty" doc:"Why it was not taken."`
	Milliseconds int64  `json:"milliseconds" doc:"How long it took."`
}

// Webhooks lists the targets of deliveries, oldest first.
func (a *API) Webhooks(ctx context.Context) iter.Seq2[Webhook, error] {
	return list[Webhook](ctx, a, "/webhooks", nil)
}

// Webhook shows a target.
func (a *API) Webhook(ctx context.Context, webhookID string, o ...Option) (*Webhook, error) {
	return one[Webhook](ctx, a, newCall(http.MethodGet, "/webhooks"+segment(webhookID), nil, o...))
}

// AddWebhook adds a target. Its secret is only in this answer.
func (a *API) AddWebhook(ctx context.Context, w NewWebhook, o ...Option) (*Webhook, error) {
	return one[Webhook](ctx, a, newCall(http.MethodPost, "/webhooks", w, o...))
}

// UpdateWebhook changes a target.
func (a *API) UpdateWebhook(ctx context.Context, webhookID string, changed WebhookChange, o ...Option) (*Webhook, error) {
	return one[Webhook](ctx, a, change(http.MethodPatch, "/webhooks"+segment(webhookID), changed, o))
}

// RotateWebhookSecret replaces the secret of a target. The new one is only in this answer.
func (a *API) RotateWebhookSecret(ctx context.Context, webhookID string, r SecretRotation, o ...Option) (*Webhook, error) {
	return one[Webhook](ctx, a, change(http.MethodPost, "/webhooks"+segment(webhookID)+"/secret", r, o))
}

// TestWebhook sends an event of the type ping to a target, once, and returns what came of it.
func (a *API) TestWebhook(ctx context.Context, webhookID string) (*WebhookTest, error) {
	return one[WebhookTest](ctx, a, newCall(http.MethodPost, "/webhooks"+segment(webhookID)+"/test", nil))
}

// RemoveWebhook removes a target, with the deliveries that wait for it.
func (a *API) RemoveWebhook(ctx context.Context, webhookID string, o ...Option) (*Webhook, error) {
	return one[Webhook](ctx, a, change(http.MethodDelete, "/webhooks"+segment(webhookID), nil, o))
}
