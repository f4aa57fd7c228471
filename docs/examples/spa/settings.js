/** Where Latchkey is, and the client_id that it knows this application by. */
export const issuer = "http://localhost:8000";
export const clientID = "spa";
