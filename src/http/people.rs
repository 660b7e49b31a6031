//! The persons whom commits name as authors, and who opened or reviewed pull requests: found by a part of their name, and forgotten for good. Open to auditors;
//! viewers see a name beside the commit that names it. Addresses are shown to administrators only, who are asked by them to forget somebody; of tokens with scopes only to those for persons.

use actix_web::{
    HttpResponse, get, post,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    access::{Role, Scope},
    person::{Command, Person as Aggregate, PersonId},
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::{Admin, Auditor, Caller},
    changed::X_LOG_POSITION,
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    idempotency::{IDEMPOTENCY_REPLAYED, IdempotencyKey},
    integrations::OneQuery,
};
use crate::secrets::{ListedPerson, People, PeopleCursor, PeopleFilter};

/// Somebody whom commits name as author, or who opened or reviewed a pull request.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
pub(super) struct Shown {
    /// Which person; the same in all repositories.
    id: Uuid,
    /// As the latest source spells it; nothing when the person was forgotten.
    name: Option<String>,
    /// As the latest source spells it; only for administrators, and nothing when none is known or the person was forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// When the person was forgotten.
    #[schema(value_type = Option<String>, format = DateTime)]
    forgotten_at: Option<Timestamp>,
}

impl Shown {
    fn of(listed: ListedPerson, caller: &Caller) -> Self {
        let shown = |person: crate::secrets::Person| {
            let email = String::from(person.email);
            (String::from(person.name), (sees_addresses(caller) && !email.is_empty()).then_some(email))
        };
        let (name, email) = listed.person.map(shown).unzip();
        Self { id: listed.id.0, name, email: email.flatten(), forgotten_at: listed.forgotten_at }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PeopleQuery {
    /// Only those whose name has this in it; of an administrator, also those whose address has it. 1 to 100 characters;
    /// the case of ASCII letters does not count.
    fragment: Option<String>,
    /// `true`: those that were forgotten, instead of the others.
    forgotten: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// Where a page ended. Part of a cursor, which its holder could decode: of a person only the id.
#[derive(Clone, Serialize, Deserialize)]
struct After(Uuid);

/// Whether addresses are shown to this caller, and so may be searched by this caller: wherever persons are looked for, a
/// token with scopes needs the one that is for persons.
pub(super) fn sees_addresses(caller: &Caller) -> bool {
    caller.role == Role::Admin && caller.has(Scope::PeopleRead)
}

/// A fragment that can be looked for.
pub(super) fn fragment(text: Option<String>) -> Result<Option<String>, ApiError> {
    match text {
        Some(text) if !(1..=100).contains(&text.chars().count()) || text.contains('\0') => {
            Err(ApiError::new(Code::QueryInvalid, "A part of a name has 1 to 100 characters."))
        }
        text => Ok(text),
    }
}

/// Those whom commits name as authors, by name.
#[utoipa::path(tag = "people", operation_id = "ListPeople", security(("bearer" = ["auditor"])),
    params(PeopleQuery), responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/people")]
pub(super) async fn list_people(
    auditor: Auditor,
    api: Data<Api>,
    query: Query<PeopleQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let query = query.into_inner();
    let filter = PeopleFilter {
        fragment: fragment(query.fragment)?,
        in_addresses: sees_addresses(&auditor),
        forgotten: query.forgotten.unwrap_or(false),
    };
    let list = List::new("people", &filter);
    let after: Option<After> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let after = match after {
        Some(After(id)) => Some(place_of(&api, PersonId(id), filter.forgotten).await?),
        None => None,
    };
    // Persons are written to their table before the log says anything of them.
    api.stands_at(query.min_position, &[]).await?;
    let rows = api.app.people.page(&filter, after.as_ref(), limit + 1).await?;
    let page = api.cursors.page(rows, limit, &list, now, |row| After(row.id.0), |row| Shown::of(row, &auditor))?;
    page.answer()
}

/// Where the person stands in the list now.
async fn place_of(api: &Api, id: PersonId, forgotten: bool) -> Result<PeopleCursor, ApiError> {
    let listed = api.app.people.listed(id).await?;
    match listed.filter(|row| row.forgotten_at.is_some() == forgotten) {
        Some(row) => Ok(row.cursor()),
        None => {
            let detail = "The person at the end of the page before was forgotten since. Begin again without a cursor.";
            Err(ApiError::new(Code::CursorExpired, detail))
        }
    }
}

/// One person.
#[utoipa::path(tag = "people", operation_id = "GetPerson", security(("bearer" = ["auditor"])),
    params(("id" = Uuid, Path, description = "The person."), OneQuery),
    responses((status = 200, description = "The person.", body = Shown)))]
#[get("/api/v1/people/{id}")]
pub(super) async fn get_person(
    auditor: Auditor,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    api.stands_at(query.min_position, &[]).await?;
    let listed = api.app.people.listed(PersonId(*id)).await?.ok_or_else(person_unknown)?;
    Ok(HttpResponse::Ok().json(Shown::of(listed, &auditor)))
}

/// Deletes name and address of a person, everywhere and at once. They do not come back with another run. What the person
/// committed stays, under the same id.
#[utoipa::path(tag = "people", operation_id = "ForgetPerson", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    responses((status = 200, description = "The person is forgotten.", body = Shown)))]
#[post("/api/v1/people/{id}/forget")]
pub(super) async fn forget_person(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let person = PersonId(*id);
    // Somebody who only ever committed what others wrote is in no table, and is forgotten all the same.
    if id.get_version_num() != 8 {
        return Err(person_unknown());
    }
    let context = admin.context(key.of(&api, &admin, "ForgetPerson", &[]), None);
    // Name and address go in the transaction of the event.
    let forgetting = vec![People::forget_statement(person, api.app.clock.now())];
    let committed = api.app.dispatch::<Aggregate>(person.0, Command::Forget, context, forgetting).await?;
    api.app.people.forgotten(person);
    let listed = api.app.people.listed(person).await?.ok_or_else(person_unknown)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((X_LOG_POSITION, committed.last.to_string()));
    if committed.replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(response.json(Shown::of(listed, &admin)))
}

fn person_unknown() -> ApiError {
    ApiError::new(Code::PersonUnknown, "Take the id from a commit or from GET /api/v1/people.")
}
