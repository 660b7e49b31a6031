//! Access tokens: issued, listed, revoked. The token itself is answered once, when it is made.

use actix_web::{
    HttpResponse, delete, get, post,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    access::{Access, Command, Role, Scope, Scopes},
    display_text::DisplayText,
    id::TokenId,
    recorded::Sequence,
    timestamp::Timestamp,
};
use keytrail_projections::token_list::{self, Token as Row};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::{Admin, Auditor},
    changed::{Telling, Versioned, tell, tell_one},
    conditions::IfMatch,
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    idempotency::IdempotencyKey,
    input::Input,
    integrations::OneQuery,
    words,
};
use crate::{
    ids,
    secrets::{NewToken, Tokens},
};

/// An access token, without the token itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct Shown {
    /// Which.
    id: Uuid,
    /// What people call it.
    name: String,
    /// What its holder may do.
    #[schema(schema_with = words::role)]
    role: Role,
    /// The part of that; all of it when nothing is said.
    #[schema(schema_with = words::scopes)]
    scopes: Option<Scopes>,
    /// Its first characters, by which a person recognises it.
    prefix: String,
    /// Whether it works, has expired or was revoked.
    #[schema(schema_with = words::token_state)]
    state: TokenState,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    issued_at: Timestamp,
    /// When it stops working by itself.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When somebody stopped it.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute; nothing when it never was.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// Its version, which is its ETag, too.
    version: i64,
    /// The position of its last change.
    position: i64,
}

/// Whether a token works.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum TokenState {
    Active,
    Expired,
    Revoked,
}

impl Shown {
    fn at(row: Row, now: Timestamp) -> Self {
        let state = match row.revoked_at {
            Some(_) => TokenState::Revoked,
            None if row.expires_at <= now => TokenState::Expired,
            None => TokenState::Active,
        };
        Self {
            id: row.id.0,
            name: row.name,
            role: row.role,
            scopes: row.scopes,
            prefix: row.prefix,
            state,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: None,
            version: row.version,
            position: row.position,
        }
    }
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}

/// A token that is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenToIssue {
    /// What people call it: 1 to 100 characters.
    name: String,
    /// What its holder may do.
    #[schema(schema_with = words::role)]
    role: Role,
    /// The part of that, each named by a resource and a verb; all of it when nothing is said.
    #[schema(schema_with = words::scopes)]
    #[serde(default)]
    scopes: Option<Vec<Scope>>,
    /// In how many days it stops working: at most 366.
    #[schema(minimum = 1, maximum = 366)]
    expires_in_days: u32,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct Issued {
    /// Which.
    id: Uuid,
    /// The position in the log; reads take it as `min_position`.
    position: i64,
    /// The token. It is told this once; nothing when an earlier request with the same idempotency key made it.
    token: Option<String>,
    /// How it is listed.
    item: Option<Shown>,
}

impl Api {
    /// Says of each token when it was last used. That is kept beside the log.
    async fn tell_last_uses(&self, tokens: &mut [Shown]) -> Result<(), ApiError> {
        let ids = || tokens.iter().map(|token| token.id);
        let (Some(first), Some(last)) = (ids().min(), ids().max()) else { return Ok(()) };
        let uses = self.app.tokens.last_uses(TokenId(first), TokenId(last)).await?;
        for token in tokens {
            token.last_used_at = uses.get(&TokenId(token.id)).copied();
        }
        Ok(())
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// Tokens in the order in which they were made, revoked and expired ones too.
#[utoipa::path(tag = "tokens", operation_id = "ListTokens", security(("bearer" = ["auditor"])),
    params(ListQuery), responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/tokens")]
pub(super) async fn list_tokens(_: Auditor, api: Data<Api>, query: Query<ListQuery>) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let list = List::new("tokens", &());
    let after = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let rows = api.read(query.min_position, token_list::page(after, limit + 1)).await?;
    let mut page = api.cursors.page(rows, limit, &list, now, |row| row.issued_position, |row| Shown::at(row, now))?;
    api.tell_last_uses(&mut page.items).await?;
    page.answer()
}

/// One token, revoked and expired ones too. The token itself is not told again.
#[utoipa::path(tag = "tokens", operation_id = "GetToken", security(("bearer" = ["auditor"])),
    params(OneQuery), responses((status = 200, description = "It.", body = Shown)))]
#[get("/api/v1/tokens/{id}")]
pub(super) async fn get_token(
    _: Auditor,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = TokenId(*id);
    let row = api.one(query.min_position, || token_list::by_id(id), Code::TokenUnknown).await?;
    let mut one = [Shown::at(row, api.app.clock.now())];
    api.tell_last_uses(&mut one).await?;
    let [shown] = one;
    Ok(tell_one(&shown))
}

/// Makes a token. It is answered once and cannot be read again.
#[utoipa::path(tag = "tokens", operation_id = "IssueToken", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    request_body = TokenToIssue, responses((status = 201, description = "It was made.", body = Issued),
        (status = 202, description = "It was made and is on disk; the view does not show it yet.", body = Issued)))]
#[post("/api/v1/tokens")]
pub(super) async fn issue_token(
    admin: Admin,
    api: Data<Api>,
    key: IdempotencyKey,
    body: Input<TokenToIssue>,
) -> Result<HttpResponse, ApiError> {
    const DAY: i64 = 24 * 3600 * 1_000_000;
    let now = api.app.clock.now();
    let context = admin.context(key.of(&api, &admin, "IssueToken", &body.bytes), None);
    let TokenToIssue { name, role, scopes, expires_in_days } = body.value;
    let scopes = match scopes.map(Scopes::of) {
        None => None,
        Some(Some(scopes)) => Some(scopes),
        Some(None) => {
            let detail =
                "A token without any scope is good for nothing. Leave scopes out for all that the role allows.";
            return Err(ApiError::new(Code::TokenBadScopes, detail));
        }
    };
    // Otherwise whoever may issue tokens could do everything.
    if let Some(own) = &admin.scopes
        && !scopes.as_ref().is_some_and(|scopes| scopes.within(own))
    {
        let detail = format!("Your token was made for {own}; it issues tokens with these scopes or less.");
        return Err(ApiError::new(Code::ScopeInsufficient, detail));
    }
    let (id, new) = (TokenId(ids::new_id()), NewToken::random());
    let expires_at = now.plus_micros(i64::from(expires_in_days).saturating_mul(DAY));
    let name = DisplayText::clean(&name);
    let companions = vec![new.issue_statement(id, &name, role, scopes.as_ref(), expires_at)];
    let command = Command::IssueToken { name, role, scopes, expires_at, prefix: new.prefix.clone() };
    let committed = api.app.dispatch::<Access>(id.0, command, context, companions).await?;
    let read = token_list::by_id(TokenId(committed.stream.id));
    let item = api.shown(&committed, read, |row| Shown::at(row, now)).await;
    // Also when an earlier try of this very request was carried out: its token went to whoever sent that one.
    let token = (!committed.replayed).then(|| new.token.expose().clone());
    let version = item.as_ref().map(Versioned::version);
    let body = Issued { id: committed.stream.id, position: committed.last, token, item };
    Ok(tell(&committed, &Telling::created("/api/v1/tokens"), version, &body))
}

/// Stops a token from working, at once.
#[utoipa::path(tag = "tokens", operation_id = "RevokeToken", security(("bearer" = ["admin"])),
    params(("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    responses((status = 200, description = "It works no more.", body = Shown)))]
#[delete("/api/v1/tokens/{id}")]
pub(super) async fn revoke_token(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let id = TokenId(*id);
    let context = admin.context(None, if_match.version());
    let companions = vec![Tokens::revoke_statement(id, now)];
    let committed = api.app.dispatch::<Access>(id.0, Command::RevokeToken, context, companions).await?;
    api.changed(committed, Telling::changed(), token_list::by_id(id), |row| Shown::at(row, now)).await
}
