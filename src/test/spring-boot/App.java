import org.apache.camel.builder.RouteBuilder;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Somebody's Camel application with Spring Boot: a step of theirs between watch and rsync. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
public class App {
    public static void main(String[] args) {
        SpringApplication.run(App.class, args);
    }

    @Bean
    RouteBuilder mirror() {
        return new RouteBuilder() {
            @Override
            public void configure() {
                from("kamelet:watch?source={{source}}")
                        .routeId("www")
                        .log("changed: ${body.size}")
                        .to("kamelet:rsync?remote=copy&target={{target}}");
            }
        };
    }
}
