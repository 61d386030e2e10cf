# avro-c is the oracle for equal schemas, Python's avro package for resolution; neither is linked into
# anything that ships. kitchen.avsc is a record that only tests read: it has what ours do not (aliases,
# an enum default, defaults that are not empty).
pkg_check_modules(AVRO REQUIRED IMPORTED_TARGET avro-c)
set(KITCHEN ${CMAKE_BINARY_DIR}/gen/tests/kitchen)
add_custom_command(
  OUTPUT ${KITCHEN}.h ${KITCHEN}.c
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/schemas/generate.py --out ${CMAKE_BINARY_DIR}/gen
          --stem tests/kitchen ${CMAKE_CURRENT_LIST_DIR}/kitchen.avsc
  COMMAND ${CMAKE_COMMAND} -E touch ${KITCHEN}.c
  DEPENDS ${CMAKE_SOURCE_DIR}/schemas/generate.py ${CMAKE_SOURCE_DIR}/schemas/avro_schema.py
          ${CMAKE_CURRENT_LIST_DIR}/kitchen.avsc
  VERBATIM)

function(lex_interop_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE lex_codec PkgConfig::CHECK)
  target_compile_options(${name} PRIVATE -Wno-conversion -Wno-sign-conversion -Wno-cast-qual)
endfunction()

lex_interop_program(avro_resolve_test ${CMAKE_CURRENT_LIST_DIR}/avro_resolve_test.c ${KITCHEN}.c ${KITCHEN}.h)
add_test(NAME avro_resolve_test COMMAND avro_resolve_test)

lex_interop_program(avro_oracle_test ${CMAKE_CURRENT_LIST_DIR}/avro_oracle_test.c)
target_link_libraries(avro_oracle_test PRIVATE PkgConfig::AVRO)
add_test(NAME avro_oracle_test COMMAND avro_oracle_test)

lex_interop_program(avro_decode ${CMAKE_CURRENT_LIST_DIR}/avro_decode.c)
lex_interop_program(avro_examples ${CMAKE_CURRENT_LIST_DIR}/avro_examples.c)

add_test(NAME avro_schemas
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/avro_schemas.py)
add_test(NAME avro_documents
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/avro_documents.py
          $<TARGET_FILE:avro_examples>)
# Exit status 77: the package cannot be installed here (no registry).
add_test(NAME avro_python
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/avro_python.py
          --build ${CMAKE_BINARY_DIR} --decode $<TARGET_FILE:avro_decode>)
set_tests_properties(avro_python PROPERTIES SKIP_RETURN_CODE 77)
