"""kubelet's gRPC APIs: our .proto files and what protoc made of them.

Law: the *_pb2 files are generated (``python -m neuronspan_deviceplugin.api.generate``), never edited.
"""
