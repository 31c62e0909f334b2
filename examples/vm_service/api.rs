//! The requests. Everything goes through `Arc<dyn Compute>`; nothing here knows a provider.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use polycloud::compute::{
    Hardware, IdempotencyToken, ImageSelector, Instance, InstanceFilter, InstanceId, Labels, Owner,
};
use polycloud::page::PageToken;
use polycloud::prelude::*;
use polycloud::{Error, ErrorKind};
use serde::Deserialize;

use crate::answers::{InstanceView, PageView, Problem};

/// Instances on a page of a listing, if the request does not say otherwise.
const PAGE: u32 = 100;

/// What makes a create one and the same when it is sent again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) compute: Arc<dyn Compute>,
    pub(crate) owner: Owner,
}

/// The routes of the service.
pub(crate) fn router(service: Service) -> Router {
    Router::new()
        .route("/instances", get(list).post(create))
        // The scope of an instance stands before a slash in its id.
        .route("/instances/{*id}", get(read).delete(terminate))
        .fallback(|| async { Problem::no_route() })
        .method_not_allowed_fallback(|| async { Problem::no_method() })
        .with_state(service)
}

/// The body of `POST /instances`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewInstance {
    name: InstanceName,
    /// The provider's type, such as `t3.micro`; the smallest if unset.
    #[serde(rename = "type")]
    hardware: Option<String>,
    /// Such as `ubuntu:24.04`; the provider's Debian if unset.
    image: Option<String>,
    zone: Option<String>,
    user_data: Option<String>,
    #[serde(default)]
    labels: Labels,
}

impl NewInstance {
    fn spec(self) -> polycloud::Result<InstanceSpec> {
        let mut spec = InstanceSpec::new(self.name).with_labels(self.labels);
        if let Some(hardware) = self.hardware {
            spec = spec.with_hardware(Hardware::of_type(hardware));
        }
        if let Some(image) = self.image {
            spec = spec.with_image(image.parse::<ImageSelector>()?);
        }
        if let Some(zone) = self.zone {
            spec = spec.with_zone(zone);
        }
        if let Some(data) = self.user_data {
            spec = spec.with_user_data(data);
        }
        Ok(spec)
    }
}

/// The query of `GET /instances`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    size: Option<u32>,
    /// The `next` of the page before.
    page: Option<String>,
}

/// `POST /instances`. Answers as soon as the provider has accepted it.
async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Result<Json<NewInstance>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    let mut options = CreateOptions::default().with_owner(service.owner.clone());
    if let Some(key) = headers.get(IDEMPOTENCY_KEY) {
        let key = String::from_utf8_lossy(key.as_bytes());
        options = options.with_token(IdempotencyToken::new(key)?);
    }
    let (compute, spec) = (service.compute, body.spec()?);
    // A client that hangs up meanwhile must not leave half a machine.
    let created = tokio::spawn(async move { compute.create(&spec, &options).await }).await;
    let instance = created.map_err(|lost| Error::new(ErrorKind::Internal).with_source(lost))??;
    let location = [(LOCATION, format!("/instances/{}", instance.id))];
    Ok((StatusCode::CREATED, location, Json(InstanceView::from(instance))).into_response())
}

/// `GET /instances`, a page at a time.
async fn list(
    State(service): State<Service>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<PageView>, Problem> {
    let Query(query) = query?;
    let filter = InstanceFilter::default()
        .with_owner(service.owner.clone())
        .with_page_size(query.size.unwrap_or(PAGE));
    let token = query.page.map(PageToken::new);
    let page = service.compute.list_page(&filter, token.as_ref()).await?;
    Ok(Json(PageView {
        instances: page.instances.into_iter().map(InstanceView::from).collect(),
        next: page.next,
    }))
}

/// `GET /instances/{id}`.
async fn read(
    State(service): State<Service>,
    id: Result<Path<InstanceId>, PathRejection>,
) -> Result<Json<InstanceView>, Problem> {
    let Path(id) = id?;
    Ok(Json(own(&service, &id).await?.into()))
}

/// `DELETE /instances/{id}`. Answers as soon as the provider has accepted it, and again so for what is
/// gone already.
async fn terminate(
    State(service): State<Service>,
    id: Result<Path<InstanceId>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    let options = TerminateOptions::default().with_only_owner(service.owner);
    service.compute.terminate(&id, &options).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Reads an instance that belongs to the service.
async fn own(service: &Service, id: &InstanceId) -> polycloud::Result<Instance> {
    let instance = service.compute.get(id).await?;
    if instance.owner.as_ref() == Some(&service.owner) {
        return Ok(instance);
    }
    Err(Error::from(ErrorKind::NotFound).with_target(id))
}
