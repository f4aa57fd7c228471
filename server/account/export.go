package account

import (
	"encoding/json"
	"fmt"
	"net/http"

	"latchkey/storage"
)

// export sends the data as a file. It says more than the account page.
func (h *Handlers) export(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	u, err := h.Users.Own(r.Context(), s.UserID)
	if err != nil {
		return err
	}
	data, err := h.Personal.Export(r.Context(), u)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	event := h.Audit.Event(r.Context(), "data_exported", "user")
	event.UserID = u.ID
	event = h.Audit.Limited(r.Context(), event)
	if event != nil {
		if err := h.Audit.Append(r.Context(), event); err != nil {
			return err
		}
	}
	body, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="account.json"`)
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(append(body, '\n'))
	return err
}
