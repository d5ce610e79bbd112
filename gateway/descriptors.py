"""The contract as Envoy's transcoder reads it, taken from the generated modules."""

from __future__ import annotations

from dataclasses import dataclass

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from google.rpc import error_details_pb2, status_pb2

from musicgen.api.inference.v1 import inference_service_pb2, model_service_pb2
from musicgen.api.jobs.v1 import job_service_pb2, queue_service_pb2
from musicgen.api.library.v1 import library_service_pb2
from musicgen.api.system.v1 import system_service_pb2

SERVICE_FILES: tuple[FileDescriptor, ...] = (
    job_service_pb2.DESCRIPTOR,
    queue_service_pb2.DESCRIPTOR,
    system_service_pb2.DESCRIPTOR,
    inference_service_pb2.DESCRIPTOR,
    model_service_pb2.DESCRIPTOR,
    library_service_pb2.DESCRIPTOR,
)


@dataclass(frozen=True, slots=True)
class Method:
    """A method that clients may call. `path` is its gRPC path; `response_body` names the
    one field that is its REST answer, or is empty."""

    package: str
    path: str
    streams: bool
    response_body: str


def services() -> list[str]:
    """Return the full names of the services whose methods have REST paths."""
    return [f"{file.package}.{name}" for file in SERVICE_FILES for name in file.services_by_name]


def exposed_methods() -> list[Method]:
    """Return every method that has a REST path. The others are what runners and services
    say to each other, and are not exposed in any form."""
    methods: list[Method] = []
    for file in SERVICE_FILES:
        for service in file.services_by_name.values():
            for method in service.methods:
                options = method.GetOptions()
                if not options.HasExtension(annotations_pb2.http):
                    continue
                rule = options.Extensions[annotations_pb2.http]
                methods.append(
                    Method(
                        package=file.package,
                        path=f"/{service.full_name}/{method.name}",
                        streams=method.server_streaming,
                        response_body=rule.response_body,
                    )
                )
    return methods


def descriptor_set() -> bytes:
    """Return a serialised FileDescriptorSet: those services, all that they import, and
    the error details, without which the transcoder could not print them. Every file
    comes after its imports. `response_body` is left out: Envoy refuses to start on it
    (see lua/rest.lua)."""
    files = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        copy = files.file.add()
        file.CopyToProto(copy)
        for service in copy.service:
            for method in service.method:
                if method.options.HasExtension(annotations_pb2.http):
                    method.options.Extensions[annotations_pb2.http].ClearField("response_body")

    for file in (*SERVICE_FILES, status_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR):
        add(file)
    return files.SerializeToString(deterministic=True)
