"""What tools expect of any gRPC server: health for each service, reflection."""

import unittest

import grpc
import standard_services_pb2 as standard
from google.protobuf import descriptor_pb2

from relay import DEADLINE, Relay

SERVICES = ("refundrelay.v1.RefundEventService", "refundrelay.v1.AdminService")


class StandardServicesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = cls.enterClassContext(Relay())
        cls.channel = cls.relay.channel()

    def health(self, service):
        check = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=standard.HealthCheckRequest.SerializeToString,
            response_deserializer=standard.HealthCheckResponse.FromString,
        )
        return check(standard.HealthCheckRequest(service=service), timeout=DEADLINE).status

    def reflect(self, **message):
        info = self.channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=standard.ReflectionRequest.SerializeToString,
            response_deserializer=standard.ReflectionResponse.FromString,
        )
        return next(info(iter([standard.ReflectionRequest(**message)]), timeout=DEADLINE))

    def test_health_of_each_service(self):
        for service in ("", *SERVICES):
            self.assertEqual(standard.HealthCheckResponse.SERVING, self.health(service), service)

    def test_health_of_an_unknown_service(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.health("nobody.v1.Nothing")
        self.assertEqual(grpc.StatusCode.NOT_FOUND, caught.exception.code())

    def test_reflection_lists_the_services(self):
        listed = self.reflect(list_services="").list_services_response.service
        names = {service.name for service in listed}
        self.assertLessEqual({*SERVICES, "grpc.health.v1.Health"}, names)

    def test_reflection_gives_the_descriptors(self):
        answer = self.reflect(file_containing_symbol=SERVICES[0]).file_descriptor_response
        files = [descriptor_pb2.FileDescriptorProto.FromString(raw) for raw in answer.file_descriptor_proto]
        self.assertIn("refundrelay/v1/refund_event_service.proto", [file.name for file in files])


if __name__ == "__main__":
    unittest.main()
