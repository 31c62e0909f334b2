//! Images: finding them, and making them of instances.

use std::sync::Arc;

use polycloud_core::ErrorKind;
use polycloud_core::capability::Feature;
use polycloud_core::compute::{
    Arch, Compute, CreateOptions, Image, ImageBuild, ImageSelector, Images, Instance, InstanceId,
    InstanceSpec, InstanceState as State,
};

use super::lab::Lab;
use crate::case::{Context, Failure, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

/// Every architecture.
const ARCHS: [Arch; 2] = [Arch::X86_64, Arch::Arm64];

cases! {
    Compute, "image";

    /// There is a default image, of the architecture that was asked for.
    async fn default(context: Context) -> CaseResult {
        let image = resolve(&*context.compute()?, &ImageSelector::Default).await?;
        ensure!(!image.id.is_empty(), "it has no id");
        Ok(())
    }

    /// An image that was found is found again by its id, and instances boot it.
    async fn by_id(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let image = resolve(&*lab.compute, &ImageSelector::Default).await?;
        let by_id = ImageSelector::Id(image.id.clone());
        ensure_eq!(lab.compute.resolve_image(&by_id, image.arch).await?.id, image.id);
        let instance = lab.run(&lab.spec("a")?.with_image(by_id)).await?;
        ensure!(instance.image.iter().all(|id| *id == image.id), "it booted {:?}", instance.image);
        Ok(())
    }

    /// An alias means an image, and instances boot it.
    #[needs(ImageAlias)]
    async fn by_alias(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let alias = ImageSelector::Alias(context.harness().image_alias());
        let image = resolve(&*lab.compute, &alias).await?;
        let instance = lab.run(&lab.spec("a")?.with_image(alias)).await?;
        ensure!(instance.image.iter().all(|id| *id == image.id), "it booted {:?}", instance.image);
        Ok(())
    }

    /// What means no image is not found.
    async fn unknown(context: Context) -> CaseResult {
        let compute = context.compute()?;
        let mut selectors = vec![ImageSelector::Id("conformance-no-such-image".into())];
        if compute.capabilities().has(Feature::ImageAlias) {
            selectors.push(ImageSelector::Alias("conformance:0.0".into()));
        }
        for (selector, arch) in selectors.iter().flat_map(|s| ARCHS.map(|arch| (s, arch))) {
            let result = compute.resolve_image(selector, arch).await;
            expect_kind(result, ErrorKind::NotFound)?;
        }
        Ok(())
    }

    /// An image of an instance is listed and found, and what boots it has the disk's content.
    #[needs(Images, UserData, Console)]
    async fn of_an_instance(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let write = "echo \"kept-$((40 + 2))-end\" >conformance-file; sync; \
                     echo \"done-$((1 + 1))-end\"";
        let original = lab.run(&lab.script("a", write)?).await?;
        lab.console_with(&original.id, "done-2-end").await?;
        let image = make_image(&context, &lab, &original.id).await?;
        let is_listed =
            || async { Ok(images(&lab.compute)?.list().await?.contains(&image).then_some(())) };
        lab.eventually("the image is listed", is_listed).await?;
        let selector = ImageSelector::Id(image.id.clone());
        ensure_eq!(lab.compute.resolve_image(&selector, image.arch).await?.id, image.id);
        let copy = lab.script("b", "cat conformance-file")?.with_image(selector);
        let copy = boot(&lab, &copy).await?;
        ensure!(copy.image.iter().all(|id| *id == image.id), "it booted {:?}", copy.image);
        lab.console_with(&copy.id, "kept-42-end").await?;
        Ok(())
    }

    /// An image outlives the instance that it was made of.
    #[needs(Images)]
    async fn outlives_the_instance(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        let image = make_image(&context, &lab, &id).await?;
        lab.terminate(&id).await?;
        let copy = lab.spec("b")?.with_image(ImageSelector::Id(image.id.clone()));
        boot(&lab, &copy).await?;
        Ok(())
    }

    /// Two images cannot have the same name.
    #[needs(Images)]
    async fn name_is_taken(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        let image = make_image(&context, &lab, &id).await?;
        let again = images(&lab.compute)?.create(&ImageBuild::new(image.name, id)).await;
        expect_kind(again, ErrorKind::AlreadyExists)?;
        Ok(())
    }

    /// A deleted image is gone, and deleting it again succeeds.
    #[needs(Images)]
    async fn deleted(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        let image = make_image(&context, &lab, &id).await?;
        let images = images(&lab.compute)?;
        images.delete(&image.id).await?;
        images.delete(&image.id).await?;
        let listed = images.list().await?;
        ensure!(listed.iter().all(|listed| listed.id != image.id), "it is still listed");
        let selector = ImageSelector::Id(image.id);
        let found = lab.compute.resolve_image(&selector, image.arch).await;
        expect_kind(found, ErrorKind::NotFound)?;
        let spec = lab.spec("b")?.with_image(selector);
        let made = lab.create(&spec, &CreateOptions::default()).await;
        expect_kind(made, ErrorKind::NotFound)?;
        Ok(())
    }
}

/// Finds an image of whichever architecture the backend has, and shows that it is of that.
async fn resolve(compute: &dyn Compute, selector: &ImageSelector) -> Result<Image, Failure> {
    let mut result = Err(Failure::new("there is no architecture"));
    for arch in ARCHS {
        match compute.resolve_image(selector, arch).await {
            Ok(image) => {
                ensure_eq!(image.arch, arch, "the architecture of {image:?}");
                return Ok(image);
            }
            Err(error) => result = Err(error.into()),
        }
    }
    result
}

fn images(compute: &Arc<dyn Compute>) -> Result<&dyn Images, Failure> {
    compute.images().ok_or_else(|| Failure::new("images are declared but not there"))
}

/// Makes an image that is deleted once the case has ended.
async fn make_image(context: &Context, lab: &Lab, id: &InstanceId) -> Result<Image, Failure> {
    let build = ImageBuild::new(context.unique("image"), id.clone());
    let image = images(&lab.compute)?.create(&build).await?;
    ensure!(!image.id.is_empty(), "the image has no id");
    let (compute, own) = (Arc::clone(&lab.compute), image.id.clone());
    context.defer(async move { Ok(images(&compute)?.delete(&own).await?) });
    Ok(image)
}

/// Creates an instance once its image can be booted, and waits until it runs.
async fn boot(lab: &Lab, spec: &InstanceSpec) -> Result<Instance, Failure> {
    let look = || async {
        match lab.create(spec, &CreateOptions::default()).await {
            Ok(made) => Ok(Some(made.id)),
            // Providers copy the disk after they have answered.
            Err(error) if error.kind() == ErrorKind::InvalidState => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    let id = lab.eventually("the image can be booted", look).await?;
    lab.reach(&id, State::Running).await
}
