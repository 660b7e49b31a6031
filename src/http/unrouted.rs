//! Requests that no route takes: nothing at the address, another method, or an address that cannot be read.

use actix_web::{
    HttpRequest, HttpResponse,
    dev::ResourceDef,
    error::{PathError, QueryPayloadError},
    http::{Method, header::ALLOW},
    web::Data,
};
use utoipa::openapi::{OpenApi, PathItem};

use super::{
    Api,
    error::{ApiError, Code},
};

/// Every address of the description, and the methods it takes.
pub(super) struct Known(Vec<(ResourceDef, String)>);

impl Known {
    /// Of this description.
    pub(super) fn of(spec: &OpenApi) -> Self {
        let methods = |item: &PathItem| {
            let all = [(&item.get, "GET, HEAD"), (&item.post, "POST"), (&item.put, "PUT"), (&item.delete, "DELETE")];
            let mut words: Vec<_> =
                all.into_iter().filter_map(|(operation, word)| operation.is_some().then_some(word)).collect();
            words.push("OPTIONS");
            words.join(", ")
        };
        Self(spec.paths.paths.iter().map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item))).collect())
    }

    fn methods(&self, path: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.is_match(path)).map(|(_, methods)| methods.as_str())
    }
}

/// Says what is wrong with the address or the method.
pub(super) async fn unrouted(request: HttpRequest, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    match api.known.methods(request.match_info().as_str()) {
        Some(methods) if *request.method() == Method::OPTIONS => {
            Ok(HttpResponse::NoContent().insert_header((ALLOW, methods)).finish())
        }
        Some(methods) => {
            let detail = format!("This address takes {methods}.");
            Err(ApiError::new(Code::MethodNotAllowed, detail).header(ALLOW, methods))
        }
        None => Err(ApiError::new(Code::RouteUnknown, "The addresses of this server are listed at /docs/.")),
    }
}

/// A part of the address does not have its form.
pub(super) fn bad_path(error: &PathError) -> ApiError {
    ApiError::new(Code::ParameterInvalid, format!("The address cannot be read: {error}. Ids are UUIDs."))
}

/// A query parameter is unknown or does not have its form.
pub(super) fn bad_query(error: &QueryPayloadError) -> ApiError {
    let reason = match error {
        QueryPayloadError::Deserialize(reason) => reason.to_string(),
        _ => "it has no form that we know".to_owned(),
    };
    ApiError::new(Code::QueryInvalid, format!("The query cannot be read: {reason}."))
}
